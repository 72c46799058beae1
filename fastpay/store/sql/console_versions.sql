-- All versions of a payment intent, its attempts, charges, refunds and disputes, oldest first.
-- $1 tenant_id uuid
-- $2 livemode boolean
-- $3 payment_intent_id uuid
-- $4 limit integer
with related as (
    select $3::uuid as object_id
    union all
    (
        select charge_id
        from charge
        where tenant_id = $1::uuid and livemode = $2::boolean and payment_intent_id = $3::uuid
            and status = 'succeeded'
    )
    union all
    (
        select charge_id
        from charge
        where tenant_id = $1::uuid and livemode = $2::boolean and payment_intent_id = $3::uuid
            and status <> 'succeeded'
        order by charge_id
        limit $4::integer
    )
    union all
    (
        select refund_id
        from refund
        where tenant_id = $1::uuid and livemode = $2::boolean and payment_intent_id = $3::uuid
        order by refund_id
        limit $4::integer
    )
    union all
    (
        select attempt_id
        from attempt
        where tenant_id = $1::uuid and livemode = $2::boolean and payment_intent_id = $3::uuid
        order by attempt_id
        limit $4::integer
    )
    union all
    (
        select dispute_id
        from dispute
        where payment_intent_id = $3::uuid and tenant_id = $1::uuid and livemode = $2::boolean
        order by dispute_id
        limit $4::integer
    )
)
select found.version, found.sequence, found.kind, found.snapshot
from related
cross join lateral (
    select version, sequence, kind, snapshot
    from object_version
    where object_version.tenant_id = $1::uuid
        and object_version.livemode = $2::boolean
        and object_version.object_id = related.object_id
    order by version
    limit $4::integer
) as found
order by found.sequence, found.kind
limit $4::integer
