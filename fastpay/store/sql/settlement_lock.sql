-- Lets one import of a processor at a time go on, until the end of the transaction.
-- $1 uuid    tenant
-- $2 boolean mode
-- $3 text    processor
select pg_advisory_xact_lock(hashtextextended($1::uuid::text || $2::boolean::text || $3::text, 0))
