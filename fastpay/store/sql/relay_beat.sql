-- For all tenants: note that an instance which delivers webhooks is there, and return all that live, each with how many
-- endpoints it holds that are enabled, and how many that are not. All endpoints that are enabled are counted as well.
-- $1 instance_id uuid
-- $2 lease_ms integer
with renewed as (
    insert into webhook_instance (instance_id)
    values ($1::uuid)
),
replaced as (
    delete from webhook_instance
    where instance_id = $1::uuid
        and seen_at <= now() - make_interval(secs => $2::integer / 1000.0)
        and seen_at > now() - 2 * make_interval(secs => $2::integer / 1000.0)
),
live as (
    -- An index can be searched for now(), and not for clock_timestamp(). It is earlier, so no lease ends too soon.
    select $1::uuid as instance_id
    union
    select instance_id
    from webhook_instance
    where seen_at > now() - make_interval(secs => $2::integer / 1000.0)
)
select
    live.instance_id,
    count(*) filter (where webhook_endpoint.status = 'enabled')::integer as held,
    count(*) filter (where webhook_endpoint.status <> 'enabled')::integer as disabled,
    (select count(*)::integer from webhook_endpoint where status = 'enabled') as endpoints
from live
left join webhook_cursor on webhook_cursor.holder = live.instance_id
left join webhook_endpoint using (tenant_id, livemode, webhook_endpoint_id)
group by live.instance_id
