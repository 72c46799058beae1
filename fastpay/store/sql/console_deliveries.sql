-- The first attempts to deliver events of a tenant, at all its endpoints. Behind each event so many attempts of each
-- endpoint are looked at as $4 says: later ones are on the endpoint's page.
-- $1 tenant_id uuid
-- $2 livemode boolean
-- $3 event_ids uuid[]
-- $4 looked_at integer
-- $5 endpoints integer: at most
select
    endpoint.webhook_endpoint_id, attempt.attempt_id, attempt.event_id, attempt.number, attempt.status,
    attempt.failure, attempt.latency_ms
from unnest($3::uuid[]) as wanted (event_id)
cross join (
    select webhook_endpoint_id
    from webhook_endpoint
    where tenant_id = $1::uuid and livemode = $2::boolean and not deleted
    order by webhook_endpoint_id
    limit $5::integer
) as endpoint
cross join lateral (
    select *
    from (
        select *
        from webhook_attempt
        where tenant_id = $1::uuid and livemode = $2::boolean
            and webhook_endpoint_id = endpoint.webhook_endpoint_id and attempt_id > wanted.event_id
        order by attempt_id
        limit $4::integer
    ) as next
    where next.event_id = wanted.event_id
    offset 0
) as attempt
order by attempt.attempt_id
