-- Notes that a file of a processor is imported, for one of its currencies.
-- $1 uuid    tenant
-- $2 boolean mode
-- $3 text    processor
-- $4 bytea   digest of the file
-- $5 text    currency
-- $6 uuid    settlement
-- $7 integer days that a payment may be older than its value date
insert into settlement_file (tenant_id, livemode, processor, digest, currency, settlement_id, lag_days)
values ($1::uuid, $2::boolean, $3::text, $4::bytea, $5::text, $6::uuid, $7::integer)
