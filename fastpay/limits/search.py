"""Bounds of searches and of their index."""

# The query.
search_query_chars_max = 1_000
search_clauses_max = 20
search_token_chars_max = 100

# The index. Beyond the tail a search advances the index itself, by at most this many batches.
search_total_max = 10_000
search_tail_max = 500
search_batch_events = 256
search_batches_max = 64
search_recent_entries = 256
search_step_entries = 4_096
search_examined_max = 65_536
search_candidates_max = 4_096
search_candidates_step = 256
search_statement_timeout_ms = 2_000
search_interval_ms = 5_000
search_pause_ms = 250
search_scopes_max = 100
search_visit_batches_max = 100
search_backlog_max = 200_000

assert search_recent_entries <= search_step_entries <= search_examined_max
assert search_candidates_step <= search_candidates_max <= search_examined_max
assert search_batch_events <= search_tail_max <= search_backlog_max
