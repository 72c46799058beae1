-- How far each webhook endpoint of a tenant is that was not deleted, and the numbers of the events that its position has
-- passed without an acknowledgement. The relay bounds how many an endpoint has.
-- $1 uuid    tenant
-- $2 boolean mode
-- $3 bigint  only below this number
-- $4 bigint  only above this number
select
    found.kind, found.snapshot, webhook_progress.position,
    (
        select string_agg(webhook_exception.sequence::text, ' ')
        from webhook_exception
        where webhook_exception.tenant_id = $1::uuid
            and webhook_exception.livemode = $2::boolean
            and webhook_exception.webhook_endpoint_id = webhook_endpoint.webhook_endpoint_id
            and webhook_exception.generation = webhook_progress.generation
            and webhook_exception.sequence < $3::bigint and webhook_exception.sequence > $4::bigint
    ) as parked
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
left join webhook_progress on webhook_progress.tenant_id = $1::uuid
    and webhook_progress.livemode = $2::boolean
    and webhook_progress.webhook_endpoint_id = webhook_endpoint.webhook_endpoint_id
where webhook_endpoint.tenant_id = $1::uuid and webhook_endpoint.livemode = $2::boolean
    and not webhook_endpoint.deleted
