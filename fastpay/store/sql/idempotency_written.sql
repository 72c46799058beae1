-- Whether the first answer to an idempotency key is that of this request.
-- $1 bytea   digest
-- $2 uuid    tenant
-- $3 boolean mode
-- $4 text    request identifier
select exists (
    select 1
    from idempotency
    where digest = $1::bytea and tenant_id = $2::uuid and livemode = $3::boolean and request_id = $4::text
) as written
