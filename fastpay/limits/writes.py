"""Bounds of the queue of commands, of batches, and of the working set."""

batch_commands_max = 512
charts_kept = 16_384
queued_commands_max = 8_192
# A plain command weighs 1, a batch of transfers as much as it has transfers.
batch_weight_max = 8_192
queued_weight_max = 262_144
queue_wait_ms_max = 2_000
# While two tenants are active, each has at most this many requests in progress; more wait.
contended_requests_max = 4
# Or this part of all requests in progress, and so many at most.
crowded_part = 4
crowded_requests_max = 16
tenant_waiting_max = 4_096
tenant_wait_ms_max = 2_000
contended_ms = 1_000

# Requests with long bodies: how many are read and processed at a time, and how many bytes may wait for that.
long_requests_max = 12
long_requests_tenant_max = 3
long_waiting_bytes_max = 256 << 20
long_waiting_bytes_tenant_max = 64 << 20
fair_debts_forgotten_min = 1_024
client_timeout_ms_max = 86_400_000

# Commands that are decided at once, with nothing else running meanwhile.
decided_at_once_max = 128
# With so many commands in flight or more, a batch has half of them; with fewer, all of them. After so many
# more slow commits than others it has all of them, too.
halved_commands_min = 16
slow_commits_min = 4
# Transfers or accounts of a batch that take less than a millisecond. After such a step the batch gives way:
# while other tenants have requests in progress, for up to this many times the duration of the step.
transfers_at_once_max = 128
give_way_ratio = 4
# After a table with which so many rows are encoded, others have a turn. `decided_at_once_max` payments have
# fewer, so that their statement leaves without delay.
rows_at_once_max = 2_048
# Rows of a batch that one statement writes while two tenants are active; otherwise one statement writes
# all.
transfers_a_statement_max = 128
# Heavier commands go to the bulk writer, and so does everything that their tenant sends meanwhile.
plain_weight_max = 64
plain_batch_weight_max = 512
# Batches that are decided under the lock after a conflict with another instance.
locked_batches = 16

# Tenants whose book another instance holds: how many of them a sweep tries at once, up to which attempt its
# backoff grows, how many of them wait for their books, and how long before it is the next one's turn.
swept_books_max = 512
sweep_attempts_max = 3
book_waits = 2
book_wait_ms = 250
# How long such a tenant is left to the lanes after the last sign that others write to it, and how many are.
contention_believed_ms = 200
contended_scopes_max = 4_096

# The working set, and what is prefetched into it.
working_set_entries_max = 32_768
# What a command adds for each unit of its weight: objects, accounts and keys.
working_set_entries_a_weight = 16
accounts_carried_max = 256
# How long keys are looked up ahead after a start, and after a key turned out to be used before.
keys_doubted_ms = 3_000
# Shorter than first answers are kept in the database.
first_answer_carried_ms = 3_600_000
prefetch_timeout_ms = 1_000
prefetch_rounds_max = 4

# A batch, from gathering it to its commit.
gather_gap_us = 500
gather_us_max = 20_000
commit_attempts_max = 6
commit_backoff_ms = 5
commit_backoff_max_ms = 400

assert batch_commands_max <= queued_commands_max
assert batch_commands_max <= batch_weight_max <= queued_weight_max
assert queued_commands_max <= queued_weight_max
assert accounts_carried_max < working_set_entries_max
assert decided_at_once_max <= batch_commands_max
assert gather_gap_us <= gather_us_max
assert commit_backoff_ms <= commit_backoff_max_ms
