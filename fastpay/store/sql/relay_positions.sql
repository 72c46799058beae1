-- For all tenants: where the deliveries to webhook endpoints stand. Null where nobody has read for an endpoint yet.
-- $1 uuid[]    tenants
-- $2 boolean[] modes
-- $3 uuid[]    endpoints
select
    found.tenant_id, found.livemode, found.webhook_endpoint_id, found.position,
    coalesce(found.previous_sequence, 0) as previous_sequence, found.failures,
    (extract(epoch from found.failing_since) * 1000)::bigint as failing_since_ms,
    (extract(epoch from found.resume_at) * 1000)::bigint as resume_ms, found.replayed_id, found.replayed_through,
    found.generation, found.changes
from unnest($1::uuid[], $2::boolean[], $3::uuid[]) as wanted (tenant_id, livemode, endpoint_id)
cross join lateral (
    select *
    from webhook_progress
    where webhook_progress.tenant_id = wanted.tenant_id
        and webhook_progress.livemode = wanted.livemode
        and webhook_progress.webhook_endpoint_id = wanted.endpoint_id
    offset 0
) as found
