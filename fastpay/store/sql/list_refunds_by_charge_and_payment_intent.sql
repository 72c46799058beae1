-- A charge's refunds, of one payment intent, newest first.
-- $1 uuid    tenant
-- $2 boolean mode
-- $3 uuid    only below this identifier
-- $4 uuid    only above this identifier
-- $5 boolean nearest above first, instead of newest first
-- $6 integer rows at most
-- $7 uuid    charge
-- $8 uuid    payment intent
select found.version, found.sequence, found.kind, found.snapshot
from (
    (
        select refund_id as object_id, version
        from refund
        where not $5::boolean and tenant_id = $1::uuid and livemode = $2::boolean
            and charge_id = $7::uuid and payment_intent_id = $8::uuid
            and refund_id < $3::uuid and refund_id > $4::uuid
        order by refund_id desc
        limit $6::integer
    )
    union all
    (
        select refund_id as object_id, version
        from refund
        where $5::boolean and tenant_id = $1::uuid and livemode = $2::boolean
            and charge_id = $7::uuid and payment_intent_id = $8::uuid
            and refund_id < $3::uuid and refund_id > $4::uuid
        order by refund_id
        limit $6::integer
    )
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
