"""Bounds of lists of events, and of the streams that clients follow."""

# Lists. Numbers of the sequence that one statement looks at, and that a page of `after_sequence` covers; and
# how many statements another page of a list takes.
event_types_max = 20
event_numbers_examined_max = 10_000
event_scans_max = 32
# Streams of events: the clients that follow, and the bytes that are kept for them until they are sent.
followers_tenant_max = 1_024
followers_max = 4_096
feed_bytes_max = 1 << 20
feeds_bytes_max = 64 << 20
feed_heartbeat_ms = 15_000
# How long a client waits before it follows again.
feed_reconnect_ms = 2_000
# After so long without a heartbeat our own client comes back.
feed_silence_ms_max = 60_000
feed_poll_ms = 1_000
feed_retry_ms = 1_000
# How many followers are woken in one turn of the loop; the pause after all were, also as a multiple of what
# that took.
feed_wakes_at_once = 64
feed_pause_ms = 20
feed_pause_ratio = 19
feed_pause_max_ms = 1_000

assert followers_tenant_max <= followers_max
assert feed_bytes_max <= feeds_bytes_max
assert feed_pause_ms <= feed_pause_max_ms
