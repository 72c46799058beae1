"""Bounds of calls to others over HTTP/1.1, and of those that have none of their own."""

outbound_connections_max = 100
outbound_answer_bytes_max = 1 << 20
outbound_timeout_ms = 30_000
outbound_idle_connection_ms = 15_000
# How long to connect at most, TLS included. Nothing was sent so far.
outbound_connect_ms = 10_000
# How often deadlines are looked at. A timeout comes later than it is due by up to one of these.
outbound_turn_ms = 25
# So many addresses of a name have their part of the time to connect, if they do not answer.
outbound_addresses_tried = 4
# How long addresses are used that a name was resolved to, and longer if its new ones take so long.
outbound_resolved_ms = 10_000
outbound_lookup_ms = 250
# What is read of an answer while nobody takes it.
outbound_ahead_bytes_max = 65_536
# Of an answer's head, and of its trailers.
outbound_head_bytes_max = 65_536
outbound_head_line_bytes_max = 16_384
outbound_head_fields_max = 128
outbound_informational_max = 8

assert outbound_lookup_ms < outbound_connect_ms < outbound_timeout_ms
assert outbound_turn_ms * 10 <= outbound_lookup_ms
assert outbound_head_line_bytes_max < outbound_head_bytes_max
