-- One of a tenant's events, with its object as its command wrote it: the columns of list_events.sql.
-- $1 uuid    tenant
-- $2 boolean mode
-- $3 bigint  number of the sequence
-- $4 text[]  types that clients see
-- $5 text[]  types that need the version before as well
select
    event.sequence as last_sequence, event.sequence, event.event_id, event.type, event.version, event.request_id,
    (extract(epoch from event.created_at) * 1000)::bigint as moment_ms, found.sequence as version_sequence, found.kind,
    found.snapshot, previous.snapshot as previous_snapshot
from event
cross join lateral (
    select sequence, kind, snapshot
    from object_version
    where object_version.tenant_id = $1::uuid
        and object_version.livemode = $2::boolean
        and object_version.object_id = event.object_id
        and object_version.version = event.version
    offset 0
) as found
left join lateral (
    select snapshot
    from object_version
    where event.type = any($5::text[])
        and object_version.tenant_id = $1::uuid
        and object_version.livemode = $2::boolean
        and object_version.object_id = event.object_id
        and object_version.version = event.version - 1
    offset 0
) as previous on true
where event.tenant_id = $1::uuid
    and event.livemode = $2::boolean
    and event.sequence = $3::bigint
    and event.type = any($4::text[])
