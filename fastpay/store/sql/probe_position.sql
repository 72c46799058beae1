-- For all tenants: how far this database's log is durable, or replayed if it is a standby, and whose log that is.
-- A standby's own timeline is that of its last restart point: after a failover it may be named late, never early.
select
    pg_is_in_recovery() as is_standby,
    (select system_identifier from pg_control_system()) as system_identifier,
    case
        when pg_is_in_recovery()
            then (select lpad(upper(to_hex(timeline_id)), 8, '0') from pg_control_checkpoint())
        else substr(pg_walfile_name(pg_current_wal_flush_lsn()), 1, 8)
    end as timeline,
    (
        case when pg_is_in_recovery() then pg_last_wal_replay_lsn() else pg_current_wal_flush_lsn() end
        - '0/0'::pg_lsn
    )::bigint as place
