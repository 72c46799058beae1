-- For all tenants: take over webhook endpoints that are enabled and that no live instance holds, each under its next
-- fencing number. If two instances do this at once, the second one finds that number taken.
-- $1 instance_id uuid
-- $2 lease_ms integer
-- $3 count integer
insert into webhook_cursor (tenant_id, livemode, webhook_endpoint_id, holder, fence)
select
    webhook_endpoint.tenant_id, webhook_endpoint.livemode, webhook_endpoint.webhook_endpoint_id, $1::uuid,
    coalesce(found.fence, 0) + 1
from webhook_endpoint
left join webhook_cursor as found using (tenant_id, livemode, webhook_endpoint_id)
where webhook_endpoint.status = 'enabled'
    and (
        found.holder is null
        or found.holder not in (
            select webhook_instance.instance_id
            from webhook_instance
            where seen_at > now() - make_interval(secs => $2::integer / 1000.0)
        )
    )
order by webhook_endpoint.tenant_id, webhook_endpoint.livemode, webhook_endpoint.webhook_endpoint_id
limit $3::integer
on conflict (tenant_id, livemode, webhook_endpoint_id) do update
    set holder = excluded.holder, fence = excluded.fence
    where webhook_cursor.fence = excluded.fence - 1
returning tenant_id, livemode, webhook_endpoint_id, fence
