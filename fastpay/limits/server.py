"""Bounds of connections: their number, bytes and times."""

connections_max = 18_000
connection_requests_max = 1_000_000
# The bytes of all requests and responses in flight. Every connection counts as the least that opens a
# holding.
inflight_bytes_max = 256 << 20
inflight_bytes_min = 8 << 20
holding_bytes_min = 4_096
accounts_looked_at_max = 64
stalled_ms = 500
surge_bytes_min = 8 << 20
trim_interval_ms = 1_000

# For each client address. One may hold half of all connections.
address_connections_per_second = 1_000
address_handshakes_max = 512
address_handshakes_per_second = 200
addresses_known_max = 16_384
refusals_answered_per_second = 100
refusals_logged_ms = 60_000

# One connection, and its deadlines.
ahead_bytes_max = 65_536
linger_bytes_max = 1_048_576
tick_ms = 250
head_timeout_ms = 10_000
body_timeout_ms = 30_000
idle_timeout_ms = 75_000
write_timeout_ms = 20_000
linger_timeout_ms = 1_500
tls_handshake_timeout_ms = 10_000
tls_shutdown_timeout_ms = 1_000
cancel_timeout_ms = 500

# Sockets.
accept_backlog = 4_096
accept_retry_ms = 1_000
# The maximum on most systems (net.core.wmem_max); the kernel doubles it for its own needs.
send_buffer_bytes = 212_992
write_buffer_high_bytes = 65_536
write_buffer_low_bytes = 16_384
reserved_files = 256

assert tick_ms < min(head_timeout_ms, body_timeout_ms, idle_timeout_ms, write_timeout_ms, linger_timeout_ms)
assert write_buffer_low_bytes < write_buffer_high_bytes
