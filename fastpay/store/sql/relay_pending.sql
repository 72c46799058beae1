-- How far each webhook endpoint of a tenant is that was not deleted, and which of these events it has not acknowledged
-- although its position has passed them.
-- $1 uuid     tenant
-- $2 boolean  mode
-- $3 bigint[] numbers of events
select
    found.kind, found.snapshot, webhook_cursor.position,
    coalesce((
        select string_agg(webhook_exception.sequence::text, ' ')
        from webhook_exception
        where webhook_exception.tenant_id = $1::uuid
            and webhook_exception.livemode = $2::boolean
            and webhook_exception.webhook_endpoint_id = webhook_endpoint.webhook_endpoint_id
            and webhook_exception.sequence = any($3::bigint[])
    ), '') as parked
from webhook_endpoint
cross join lateral (
    select kind, snapshot
    from object_version
    where object_version.tenant_id = $1::uuid
        and object_version.livemode = $2::boolean
        and object_version.object_id = webhook_endpoint.webhook_endpoint_id
        and object_version.version = webhook_endpoint.version
    offset 0
) as found
left join webhook_cursor on webhook_cursor.tenant_id = $1::uuid
    and webhook_cursor.livemode = $2::boolean
    and webhook_cursor.webhook_endpoint_id = webhook_endpoint.webhook_endpoint_id
where webhook_endpoint.tenant_id = $1::uuid and webhook_endpoint.livemode = $2::boolean
    and not webhook_endpoint.deleted
