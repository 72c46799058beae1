-- Forgets a tenant's first answers that are older than they must be kept, some at a time.
-- $1 uuid    tenant
-- $2 boolean mode
-- $3 bigint  oldest moment to keep, in milliseconds since 1970
-- $4 integer rows at most
delete from idempotency
where (digest, tenant_id, livemode) in (
    select digest, tenant_id, livemode
    from idempotency
    where created_at < timestamptz 'epoch' + $3::bigint * interval '1 millisecond'
        and tenant_id = $1::uuid
        and livemode = $2::boolean
    limit $4::integer
)
