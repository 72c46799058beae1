-- Whether this session can write: the server is not a standby, and the database is not read-only.
select not pg_is_in_recovery() and current_setting('transaction_read_only') = 'off' as takes_writes
