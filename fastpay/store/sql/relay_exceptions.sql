-- For all tenants: the exceptions of webhook endpoints.
-- $1 uuid[]    tenants
-- $2 boolean[] modes
-- $3 uuid[]    endpoints
-- $4 integer[] generations
select
    found.tenant_id, found.livemode, found.webhook_endpoint_id, found.sequence, found.previous_sequence,
    found.object_id, found.attempts, (extract(epoch from found.next_attempt_at) * 1000)::bigint as due_ms
from unnest($1::uuid[], $2::boolean[], $3::uuid[], $4::integer[]) as wanted (tenant_id, livemode, endpoint_id, generation)
cross join lateral (
    select *
    from webhook_exception
    where webhook_exception.tenant_id = wanted.tenant_id
        and webhook_exception.livemode = wanted.livemode
        and webhook_exception.webhook_endpoint_id = wanted.endpoint_id
        and webhook_exception.generation = wanted.generation
    offset 0
) as found
