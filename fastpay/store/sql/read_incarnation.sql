-- For all tenants: the identity of this database, which differs from that of a copy and changes after a restore to
-- an earlier time; and the key with which copies of its objects are sealed.
select
    cache_seal.seal_key,
    (select system_identifier from pg_control_system()) as system_identifier,
    (select oid from pg_database where datname = current_database()) as database_oid,
    substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) as timeline
from cache_seal
