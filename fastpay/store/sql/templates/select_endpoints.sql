-- A part of select_events.sql: a row for each webhook endpoint that was not deleted. It has its position as the version's
-- sequence, and as the type the numbers of the events in `head` that the position has passed without an acknowledgement.
-- Where there are none, to begin with this part takes as long as to read thirty events.
-- $2 boolean with the endpoints
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
