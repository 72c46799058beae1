"""Bounds of API keys, signing secrets and sealing keys."""

key_cache_ms = 2_000
known_keys_max = 10_000
absent_keys_max = 16_384
# Look-ups of unknown API keys: see `store/key_lookups.py`.
key_lookups_batch_max = 256
key_lookups_gap_ms = 10
# Keys that are looked up ahead of time, when half of `key_cache_ms` is over, wait for others.
key_renewal_gap_ms = 100
key_lookups_waiting_max = 2_048
key_lookups_suspects_max = 8
key_failures_burst = 100
key_failures_per_second = 10
key_failure_groups_max = 16_384
signing_secrets_max = 4
sealing_keys_max = 16
sealing_file_bytes_max = 65_536
sealing_rows_max = 100
# How many keys of an older API are imported at once.
key_import_rows_max = 100_000

assert key_lookups_batch_max <= key_lookups_waiting_max
# How long an old key or secret can stay valid beside its successor.
overlap_hours_max = 24 * 365
