-- The status of a transaction: committed, aborted, in progress, or null if it is too old.
-- $1 text transaction
select pg_xact_status($1::text::xid8) as status
