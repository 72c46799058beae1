"""Bounds of reads and of the process's own cache."""

read_staleness_ms = 1_000
read_staleness_ms_max = 60_000
cache_bytes_max = 64 << 20
negative_cache_ms = 1_000
creation_ms_max = 120_000
cached_scopes_max = 20_000
# Objects that were cached until another instance changed them: what it tells of them is cached again.
dropped_objects_max = 4_096
batch_reads_max = 1_000
# Few, so that what is missed on a busy machine is read together: a statement costs as much as three reads.
batch_reads_at_once = 2
gathered_reads_max = 16_384
# How often a replica is asked where it is, in each `read_staleness_ms`.
replica_checks_per_bound = 4
# How long a replica may take for a read. Then the primary is asked.
replica_timeout_ms = 2_000
announcement_objects_max = 1_000
announcements_waiting_max = 1_024

assert batch_reads_max <= gathered_reads_max
assert read_staleness_ms <= read_staleness_ms_max
