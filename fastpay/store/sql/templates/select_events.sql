-- What is read of events: a row for each book in `place`, one for each of its webhook endpoints that was not deleted,
-- and one for each event in `head` with its object as its command wrote it. Only events have a sequence, so they are
-- last, newest first. The row of an endpoint has its position as the version's sequence, and as the type the numbers of
-- the events in `head` that the position has passed without an acknowledgement.
-- $1 text[]  types that need the version before as well
-- $2 boolean with the endpoints
select
    place.ordinal, place.sequence as last_sequence, null::bigint as sequence, null::uuid as event_id, null as type,
    null::integer as version, null as request_id, null::bigint as created_s, null::bigint as version_sequence,
    null::smallint as kind, null::bytea as snapshot, null::bytea as previous_snapshot
from place
union all
select
    place.ordinal, null, null, null, (
        select string_agg(webhook_exception.sequence::text, ' ')
        from webhook_exception
        where webhook_exception.tenant_id = place.tenant_id
            and webhook_exception.livemode = place.livemode
            and webhook_exception.webhook_endpoint_id = endpoint.webhook_endpoint_id
            and webhook_exception.generation = webhook_progress.generation
            and webhook_exception.sequence = any(array(
                select head.sequence from head where head.ordinal = place.ordinal
            ))
    ), null, null, null, webhook_progress.position, found.kind, found.snapshot, null
from place
cross join lateral (
    select webhook_endpoint_id, version
    from webhook_endpoint
    where $2::boolean
        and webhook_endpoint.tenant_id = place.tenant_id
        and webhook_endpoint.livemode = place.livemode
        and not webhook_endpoint.deleted
    offset 0
) as endpoint
cross join lateral (
    select kind, snapshot
    from object_version
    where object_version.tenant_id = place.tenant_id
        and object_version.livemode = place.livemode
        and object_version.object_id = endpoint.webhook_endpoint_id
        and object_version.version = endpoint.version
    offset 0
) as found
left join webhook_progress on webhook_progress.tenant_id = place.tenant_id
    and webhook_progress.livemode = place.livemode
    and webhook_progress.webhook_endpoint_id = endpoint.webhook_endpoint_id
union all
select
    head.ordinal, null, head.sequence, head.event_id, head.type, head.version, head.request_id,
    floor(date_part('epoch', head.created_at))::bigint, found.sequence, found.kind, found.snapshot, previous.snapshot
from head
cross join lateral (
    select sequence, kind, snapshot
    from object_version
    where object_version.tenant_id = head.tenant_id
        and object_version.livemode = head.livemode
        and object_version.object_id = head.object_id
        and object_version.version = head.version
    offset 0
) as found
left join lateral (
    select snapshot
    from object_version
    where head.type = any($1::text[])
        and object_version.tenant_id = head.tenant_id
        and object_version.livemode = head.livemode
        and object_version.object_id = head.object_id
        and object_version.version = head.version - 1
    offset 0
) as previous on true
order by sequence desc
