-- For all tenants: how deliveries to webhook endpoints stand. `parked` counts deliveries that wait for another attempt.
-- `lag_max` is how many numbers of the sequence the endpoint `furthest_id` is behind, and `oldest_s` the age of the oldest
-- event that an enabled endpoint has not acknowledged.
-- $1 lease_ms integer
-- $2 circuit_failures integer
with standing as (
    select
        webhook_endpoint.webhook_endpoint_id, webhook_endpoint.status = 'enabled' as is_enabled,
        webhook_endpoint.status = 'enabled' and live.instance_id is null as is_unheld,
        webhook_endpoint.status = 'enabled' and coalesce(webhook_progress.failures, 0) >= $2::integer as is_failing,
        case when webhook_endpoint.status = 'enabled' then parked.count else 0 end as parked,
        case when webhook_endpoint.status = 'enabled' then book.sequence - through.sequence else 0 end as lag,
        case when webhook_endpoint.status = 'enabled' then (
            select date_part('epoch', clock_timestamp() - event.created_at)
            from event
            where event.tenant_id = webhook_endpoint.tenant_id
                and event.livemode = webhook_endpoint.livemode
                and event.sequence > through.sequence
            order by event.sequence
            limit 1
        ) end as age_s
    from webhook_endpoint
    cross join lateral (
        select sequence
        from book
        where book.tenant_id = webhook_endpoint.tenant_id
            and book.livemode between webhook_endpoint.livemode and webhook_endpoint.livemode
        order by book.livemode desc
        limit 1
    ) as book
    left join webhook_progress using (tenant_id, livemode, webhook_endpoint_id)
    left join (
        select distinct instance_id
        from webhook_instance
        where seen_at > now() - make_interval(secs => $1::integer / 1000.0)
    ) as live on live.instance_id = webhook_progress.holder
    cross join lateral (
        select count(*) as count
        from webhook_exception
        where webhook_exception.tenant_id = webhook_endpoint.tenant_id
            and webhook_exception.livemode = webhook_endpoint.livemode
            and webhook_exception.webhook_endpoint_id = webhook_endpoint.webhook_endpoint_id
            and webhook_exception.generation = webhook_progress.generation
    ) as parked
    cross join lateral (
        -- Before anybody has read for an endpoint, it has everything still to come.
        select coalesce(webhook_progress.delivered_through, book.sequence) as sequence
    ) as through
    where not webhook_endpoint.deleted
)
select
    count(*) filter (where is_enabled) as enabled, count(*) filter (where not is_enabled) as disabled,
    count(*) filter (where is_unheld) as unheld, count(*) filter (where is_failing) as failing,
    coalesce(sum(parked), 0)::bigint as parked, coalesce(max(lag), 0) as lag_max,
    (array_agg(webhook_endpoint_id order by lag desc))[1] as furthest_id,
    coalesce(max(age_s), 0)::bigint as oldest_s
from standing
