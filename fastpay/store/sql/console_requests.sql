-- What the request log has of changes of some objects, asked for or refused, oldest first.
-- $1 tenant_id uuid
-- $2 livemode boolean
-- $3 objects text[]: whole identifiers
-- $4 limit integer: for each object
select
    found.request_id, (extract(epoch from found.received_at) * 1000)::bigint as moment_ms, found.duration_us,
    found.method, found.path, found.status, found.original_request_id, found.error_message
from unnest($3::text[]) as wanted (object_id)
cross join lateral (
    select *
    from request_log
    where request_log.tenant_id = $1::uuid
        and request_log.livemode = $2::boolean
        and coalesce(request_log.object_id, substring(request_log.path from '[a-z]+_[0-9a-f]{32}')) = wanted.object_id
        and request_log.method <> 'GET'
    order by received_at
    limit $4::integer
) as found
order by found.received_at, found.request_id
