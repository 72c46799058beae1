-- Whether this event has this sequence number of the tenant.
-- $1 uuid    tenant
-- $2 boolean mode
-- $3 bigint  sequence
-- $4 uuid    event
select exists (
    select 1
    from event
    where tenant_id = $1::uuid and livemode = $2::boolean and sequence = $3::bigint and event_id = $4::uuid
) as written
