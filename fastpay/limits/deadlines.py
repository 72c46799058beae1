"""Deadlines of requests. They hold whatever hangs: a full pool, a connection, a frozen server."""

# A read: its API key is looked up, then it is answered.
key_timeout_ms = 1_500
read_timeout_ms = 2_500
read_answer_timeout_ms = 4_000
# A write: its API key, its turn, its batch, and the outcome of a COMMIT without a reply.
begin_timeout_ms = 3_000
commit_timeout_ms = 5_000
resolve_timeout_ms = 2_000
write_answer_timeout_ms = 11_500
deadline_check_ms = 250
# After a failed batch of reads, further reads fail at once for this long.
failed_reads_ms = 100

assert key_timeout_ms + read_timeout_ms <= read_answer_timeout_ms
assert key_timeout_ms + begin_timeout_ms + commit_timeout_ms + resolve_timeout_ms <= write_answer_timeout_ms
assert failed_reads_ms < read_timeout_ms
