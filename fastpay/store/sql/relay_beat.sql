-- For all tenants: note that an instance which delivers webhooks is there, and return how many endpoints it should hold,
-- how many it holds, and whether there is an endpoint that no live instance holds. Live instances share the endpoints
-- that are enabled evenly: each counts itself among them, in the order of their identifiers.
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
    select $1::uuid as instance_id
    union
    select instance_id
    from webhook_instance
    where seen_at > now() - make_interval(secs => $2::integer / 1000.0)
),
spread as (
    select count(*) as instances, count(*) filter (where instance_id < $1::uuid) as place
    from live
),
enabled as (
    select
        count(*) as endpoints, count(*) filter (where webhook_cursor.holder = $1::uuid) as held,
        count(*) filter (where live.instance_id is null) as free
    from webhook_endpoint
    left join webhook_cursor using (tenant_id, livemode, webhook_endpoint_id)
    left join live on live.instance_id = webhook_cursor.holder
    where webhook_endpoint.status = 'enabled'
),
disabled as (
    select count(*) as held
    from webhook_cursor
    join webhook_endpoint using (tenant_id, livemode, webhook_endpoint_id)
    where webhook_cursor.holder = $1::uuid and webhook_endpoint.status <> 'enabled'
)
select
    (endpoints / instances + (place < endpoints % instances)::integer)::integer as quota,
    enabled.held::integer as held, disabled.held::integer as disabled, enabled.free > 0 as has_free
from spread
cross join enabled
cross join disabled
