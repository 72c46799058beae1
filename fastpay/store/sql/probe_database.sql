-- Whether this session could write: not on a standby, and not while the database is set to be read-only.
select not pg_is_in_recovery() and current_setting('transaction_read_only') = 'off' as takes_writes
