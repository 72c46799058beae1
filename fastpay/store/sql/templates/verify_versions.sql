-- Heads whose version is not the latest one of their objects, and events of versions that do not exist. A transfer
-- of a client has no versions.
-- $1 uuid    tenant
-- $2 boolean mode
with head (prefix, kind, object_id, version) as (
    {heads}
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
