"""Bounds of PostgreSQL: connections, what waits for them, and the server's own timeouts."""

reader_connections_max = 8
key_connections_max = 1
queued_reads_max = 2_048
scan_connections_max = 6
# Verifications get one of this many connections for scans.
verifications_share = 3
tenant_lists_waiting_max = 512
tenant_searches_waiting_max = 32
tenant_verifications_waiting_max = 4
# The connection that monitors the database.
probe_connections = 1
# The plain writer and the bulk writer each commit on one connection and prefetch on another. Their lanes open
# three more each, once another instance holds a book.
writer_connections = 10

# Deadlines of statements and connections.
scan_wait_timeout_ms = 1_000
# On the server's side, so that a slow statement gets an error before its client gives up.
read_statement_timeout_ms = 2_250
statement_timeout_ms = 4_500
lock_timeout_ms = 4_000
idle_in_transaction_timeout_ms = 2_000
verify_timeout_ms = 60_000
connect_timeout_ms = 5_000
# After which an unused connection for reads is closed.
database_idle_ms = 300_000
# The longest time that an operator's command waits for the database.
operator_timeout_ms = 30_000
farewell_timeout_ms = 1_000
# What `fastpay doctor` advises for PostgreSQL: with less, a burst of payments forces checkpoints, and after
# each of them whole pages are logged again.
wal_bytes_advised = 4 << 30
checkpoint_s_advised = 900
wal_buffer_bytes_advised = 16 << 20

assert idle_in_transaction_timeout_ms < lock_timeout_ms
assert statement_timeout_ms <= verify_timeout_ms
assert reader_connections_max <= queued_reads_max
assert scan_connections_max >= 2
assert tenant_lists_waiting_max < queued_reads_max
