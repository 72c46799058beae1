-- The first answers to these idempotency keys.
-- $1 bytea[]   digests
-- $2 uuid[]    tenants
-- $3 boolean[] modes
select
    found.digest, found.tenant_id, found.livemode, found.idempotency_key, found.fingerprint, found.answer,
    found.request_id, (extract(epoch from found.created_at) * 1000)::bigint as moment_ms
from unnest($1::bytea[], $2::uuid[], $3::boolean[]) as wanted (digest, tenant_id, livemode)
cross join lateral (
    select *
    from idempotency
    where idempotency.digest = wanted.digest
        and idempotency.tenant_id = wanted.tenant_id
        and idempotency.livemode = wanted.livemode
    offset 0
) as found
