"""Bounds of requests that are passed to the legacy API."""

# How long its answer may not go on: until its head, and between two pieces of its body.
legacy_timeout_ms = 30_000
legacy_connections_max = 256
# Shorter than any server keeps an idle connection, so that a request seldom meets the end of one.
legacy_idle_ms = 1_000
legacy_connect_ms = 2_000
# Requests that wait for a connection, and how long: as long as commands wait for their turn.
legacy_waiting_max = 1_024
legacy_wait_ms = 3_000
# How often deadlines are looked at. A timeout comes later than it is due by up to two of these, and by as
# much as the looks themselves were late: a process that stands still takes no answer for late.
legacy_turn_ms = 100

# How often an instance asks for the states of the routes: a change takes effect within a second.
rollout_poll_ms = 500
# Idempotency keys that wait to be bound to a side, and those that are bound with one commit.
rollout_binding_max = 4_096
rollout_bound_keys_max = 256
rollout_purge_rows_max = 10_000
rollout_history_max = 1_000

assert legacy_turn_ms * 10 <= min(legacy_idle_ms, legacy_connect_ms)
assert legacy_connect_ms < legacy_timeout_ms

# Answers that both sides have a part of: the legacy API's part, how many such requests of a path at the same
# time, and the pages of the legacy API that are read to go back from a cursor if it has nothing older.
merged_part_bytes_max = 1_048_576
merged_requests_max = 64
merged_pages_max = 10

# Comparison of answers (shadow). Requests that are compared at the same time; more are dropped and counted.
shadow_requests_max = 8
shadow_body_bytes_max = 262_144
shadow_timeout_ms = 15_000
# What is looked at, and found, in one pair of answers.
comparison_values_max = 20_000
# Both answers together. Longer ones are compared in a thread.
comparison_short_bytes = 16_384
comparison_differences_max = 50
# The names that a route counts under, between two writes; what comes later is counted as "other".
comparison_names_max = 64
comparison_examples_max = 3
comparison_example_chars_max = 200
comparison_flush_ms = 1_000
comparison_days = 30
# A time is at least 2001-09-09 in seconds: amounts this large are money, which no rule for times hides.
comparison_time_min = 1_000_000_000
# Noise is forgotten after so many pairs of answers of the legacy API that do not show it.
comparison_noise_samples = 200
comparison_noise_max = 200
comparison_noise_percent = 5
# By how much longer fastpay takes for a request that counts as slower.
shadow_slower_ns = 1_000_000

# How often an answer of the legacy API on a route is looked at for identifiers that look like this server's,
# how many of them are asked for, and how often the log tells of a prefix.
mistaken_interval_ms = 1_000
mistaken_identifiers_max = 10
mistaken_told_ms = 3_600_000

# Guardrails of routes that are split: how often they look, and how often a route that is as good as the
# legacy API may be rolled back by mistake, however long it is watched.
guardrail_interval_ms = 1_000
guardrail_false_rate = 0.01
guardrail_slow_ms = 1_000
# Answers of an instance that wait to be held against the book, and how often one book is verified in full.
guardrail_money_max = 10_000
guardrail_verify_ms = 60_000
# What is assumed before anything is known: the rate of the legacy API, and how much worse fastpay may be.
# Each counts for so many requests.
guardrail_prior_rate = 0.01
guardrail_prior_factor = 3
guardrail_prior_requests = 50
# All instances know a rollback within ten seconds of the request that was one too many.
guardrail_known_ms = 10_000

assert guardrail_interval_ms + 2 * rollout_poll_ms < guardrail_known_ms
