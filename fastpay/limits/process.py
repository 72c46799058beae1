"""Bounds of the process: memory, start and stop, its dependencies, its clock, embedded servers."""

# Memory, files, and how long keys are remembered at least.
entropy_bytes_drawn = 4_096
# More at once is drawn for itself.
entropy_ahead_bytes_max = 16
young_objects_max = 10_000
open_files_min = 4_096
idempotency_retention_hours_min = 24

# PostgreSQL and Redis, as the monitor sees them.
probe_interval_ms = 1_000
probe_timeout_ms = 2_000
# A readiness that was checked longer ago is not trusted.
readiness_stale_ms = 10_000
outage_reminder_ms = 60_000
# The most losses of one dependency that are logged within `outage_reminder_ms`.
outage_lines_max = 5
# PostgreSQL needs space for some segments of its log, of 16 MiB each.
disk_free_bytes_min = 64 << 20

# Stop.
drain_timeout_ms = 3_000
stop_timeout_ms = 5_000
stop_reserve_ms = 700
# How long the next program may take to start before the upgrade is given up.
upgrade_timeout_ms = 60_000
# How long the old program serves the connections that it has.
upgrade_drain_ms = 30_000

# The clock.
clock_skew_ms_max = 2_000
# An instance whose own clock differs by more refuses writes. Below that, `fastpay doctor` reports it.
clock_refused_ms = 10_000
clock_refused_ms_max = 3_600_000
clock_interval_ms = 1_000
clock_reading_ms_max = 100
clock_report_interval_ms = 60_000
# After the database's clock went back, new identifiers stay above earlier ones by at most this much.
identifiers_ahead_ms_max = 1_000

# Start, and embedded servers.
free_bytes_min = 1 << 30
migration_wait_ms = 120_000
address_probe_timeout_ms = 1_000
embedded_start_timeout_ms = 60_000
# How often a start inspects the database while connections are lost, and how long after each time.
start_attempts_max = 30
start_retry_ms = 100
embedded_stop_timeout_ms = 4_000
embedded_restarts_max = 5
embedded_restarts_window_ms = 600_000
embedded_log_bytes_max = 16 << 20
socket_path_bytes_max = 100
redis_memory_bytes_max = 128 << 20

# Identifiers that run ahead must still be within the tolerance of the database's time.
assert identifiers_ahead_ms_max < clock_skew_ms_max <= clock_refused_ms <= clock_refused_ms_max
assert clock_reading_ms_max < clock_skew_ms_max
assert probe_interval_ms + probe_timeout_ms < readiness_stale_ms < outage_reminder_ms
assert drain_timeout_ms + stop_reserve_ms < stop_timeout_ms
assert embedded_stop_timeout_ms < stop_timeout_ms
