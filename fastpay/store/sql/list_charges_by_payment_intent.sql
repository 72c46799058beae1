-- A payment intent's charges, newest first. The one that succeeded is in an index of its own.
-- $1 uuid    tenant
-- $2 boolean mode
-- $3 uuid    only below this identifier
-- $4 uuid    only above this identifier
-- $5 boolean nearest above first, instead of newest first
-- $6 integer rows at most
-- $7 uuid    payment intent
select found.version, found.sequence, found.kind, found.snapshot
from (
    select object_id, version
    from (
        (
            select charge_id as object_id, version
            from charge
            where tenant_id = $1::uuid and livemode = $2::boolean
                and payment_intent_id = $7::uuid and status = 'succeeded'
                and charge_id < $3::uuid and charge_id > $4::uuid
        )
        union all
        (
            select charge_id as object_id, version
            from charge
            where not $5::boolean and tenant_id = $1::uuid and livemode = $2::boolean
                and payment_intent_id = $7::uuid and status <> 'succeeded'
                and charge_id < $3::uuid and charge_id > $4::uuid
            order by charge_id desc
            limit $6::integer
        )
        union all
        (
            select charge_id as object_id, version
            from charge
            where $5::boolean and tenant_id = $1::uuid and livemode = $2::boolean
                and payment_intent_id = $7::uuid and status <> 'succeeded'
                and charge_id < $3::uuid and charge_id > $4::uuid
            order by charge_id
            limit $6::integer
        )
    ) as candidate
    order by case when $5::boolean then object_id end, object_id desc
    limit $6::integer
) as head
cross join lateral (
    select version, sequence, kind, snapshot
    from object_version
    where object_version.tenant_id = $1::uuid
        and object_version.livemode = $2::boolean
        and object_version.object_id = head.object_id
        and object_version.version = head.version
    offset 0
) as found
order by head.object_id desc
