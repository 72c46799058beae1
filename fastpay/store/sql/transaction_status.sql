-- What became of a transaction: committed, aborted, in progress, or null when it is too old to be known.
-- $1 text transaction
select pg_xact_status($1::text::xid8) as status
