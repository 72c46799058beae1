-- Bind idempotency keys to sides, unless they are bound, and return their sides; of all tenants. A key with a
-- first answer here belongs to fastpay. A key without a row: another instance is binding it in this moment, and
-- is done now. All bind in one order, so no two instances wait for each other.
-- $1 uuid[]    tenants
-- $2 boolean[] modes
-- $3 bytea[]   digests
-- $4 text[]    sides
with wanted as materialized (
    select *
    from unnest($1::uuid[], $2::boolean[], $3::bytea[], $4::text[]) as given (tenant_id, livemode, digest, side)
), bound as (
    insert into rollout_key (digest, tenant_id, livemode, side)
    select
        wanted.digest,
        wanted.tenant_id,
        wanted.livemode,
        case when answered.digest is null then wanted.side else 'fastpay' end
    from wanted
    left join lateral (
        select digest
        from idempotency
        where idempotency.digest between wanted.digest and wanted.digest
            and idempotency.tenant_id = wanted.tenant_id
            and idempotency.livemode = wanted.livemode
        order by idempotency.digest desc
        limit 1
    ) as answered on true
    order by wanted.digest, wanted.tenant_id, wanted.livemode
    on conflict (digest, tenant_id, livemode) do nothing
    returning tenant_id, livemode, digest, side
)
select tenant_id, livemode, digest, side
from bound
union all
select own.tenant_id, own.livemode, own.digest, own.side
from wanted
cross join lateral (
    select *
    from rollout_key
    where rollout_key.digest between wanted.digest and wanted.digest
        and rollout_key.tenant_id = wanted.tenant_id
        and rollout_key.livemode = wanted.livemode
    order by rollout_key.digest desc
    limit 1
) as own
