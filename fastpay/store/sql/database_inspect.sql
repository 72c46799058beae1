-- The settings that decide whether this database is safe for payments.
select
    current_setting('server_version_num')::integer / 10000 as version,
    current_setting('fsync') as fsync,
    current_setting('synchronous_commit') as synchronous_commit,
    current_setting('full_page_writes') as full_page_writes,
    current_setting('synchronous_standby_names') as standby_names,
    pg_is_in_recovery() as is_standby,
    clock_timestamp() as now
