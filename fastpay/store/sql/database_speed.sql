-- The settings that decide how much of the log is full pages, and how long commits wait for it.
select
    pg_size_bytes(current_setting('max_wal_size')) as max_wal_bytes,
    extract(epoch from current_setting('checkpoint_timeout')::interval)::integer as checkpoint_s,
    pg_size_bytes(current_setting('wal_buffers')) as wal_buffer_bytes,
    current_setting('wal_compression') as wal_compression,
    current_setting('wal_init_zero') as wal_init_zero,
    current_setting('jit') as jit
