-- Objects that are not at the latest of their versions, and events of versions that are not there. A client's transfer
-- has no versions: it is its own row.
-- $1 uuid    tenant
-- $2 boolean mode
with head (prefix, kind, object_id, version) as (
    select 'cus', 1, customer_id, version from customer where tenant_id = $1::uuid and livemode = $2::boolean
    union all
    select 'pm', 2, payment_method_id, version
    from payment_method
    where tenant_id = $1::uuid and livemode = $2::boolean
    union all
    select 'pi', 3, payment_intent_id, version
    from payment_intent
    where tenant_id = $1::uuid and livemode = $2::boolean
    union all
    select 'ch', 4, charge_id, version from charge where tenant_id = $1::uuid and livemode = $2::boolean
    union all
    select 're', 5, refund_id, version from refund where tenant_id = $1::uuid and livemode = $2::boolean
),
latest as (
    select kind, object_id, max(version) as version
    from object_version
    where tenant_id = $1::uuid and livemode = $2::boolean
    group by kind, object_id
)
select head.prefix || '_' || replace(head.object_id::text, '-', '') as name, head.version, latest.version as found
from head
left join latest on latest.kind = head.kind and latest.object_id = head.object_id
where head.version is distinct from latest.version
union all
select 'evt_' || replace(event.event_id::text, '-', ''), event.version, null
from event
left join object_version
    on object_version.tenant_id = event.tenant_id
    and object_version.livemode = event.livemode
    and object_version.object_id = event.object_id
    and object_version.version = event.version
where event.tenant_id = $1::uuid and event.livemode = $2::boolean and object_version.version is null
    and event.type not like 'ledger.transfer.%'
limit 100
