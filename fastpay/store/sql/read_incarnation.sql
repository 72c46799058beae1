-- For all tenants: what tells this database from any other, also from what it was before it went back in time or
-- was copied; and the key that copies of its objects are sealed with.
select
    cache_seal.seal_key,
    (select system_identifier from pg_control_system()) as system_identifier,
    (select oid from pg_database where datname = current_database()) as database_oid,
    substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) as timeline
from cache_seal
