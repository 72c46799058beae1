"""Bounds of Redis: commands, copies, and what follows a failure."""

redis_timeout_ms = 50
# A connection that lasted so long was a good one: the next is tried at once.
redis_stable_ms = 10_000
redis_ping_interval_ms = 5_000
redis_commands_max = 4_096
redis_reply_bytes_max = 64 << 20
copy_bytes_max = 64 << 10
copy_lifetime_ms = 3_600_000
copies_at_once_max = 256
copies_waiting_max = 16_384
copies_gap_ms = 5
# Looking for all copies pays if this share of them can be shown: the process takes 77 us instead of 184 then,
# and 324 otherwise. The time that PostgreSQL saves counts as well.
copies_worth_min = 0.35
redis_backoff_ms = 100
redis_backoff_max_ms = 2_000

assert redis_backoff_ms <= redis_backoff_max_ms
assert redis_timeout_ms < redis_backoff_max_ms < redis_stable_ms
assert redis_timeout_ms < redis_ping_interval_ms
assert copies_at_once_max <= copies_waiting_max
assert redis_timeout_ms < copy_lifetime_ms
