-- The settlements that a file of a processor was imported as, none if it was not.
-- $1 uuid    tenant
-- $2 boolean mode
-- $3 text    processor
-- $4 bytea   digest of the file
select currency, settlement_id, lag_days
from settlement_file
where tenant_id = $1::uuid and livemode = $2::boolean and processor = $3::text and digest = $4::bytea
order by currency
