-- For all tenants: the webhook endpoints of an instance that there is something to do for: the sequence of the tenant
-- is above their position, they have changed since the instance read them, or a replay was asked for.
-- $1 instance_id uuid
select
    webhook_progress.tenant_id, webhook_progress.livemode, webhook_progress.webhook_endpoint_id, book.sequence,
    endpoint.version, replay.is_wanted as has_replay
from webhook_progress
cross join lateral (
    select sequence
    from book
    where book.tenant_id = webhook_progress.tenant_id and book.livemode between webhook_progress.livemode and webhook_progress.livemode
    order by book.livemode desc
    limit 1
) as book
cross join lateral (
    select version
    from webhook_endpoint
    where webhook_endpoint.tenant_id = webhook_progress.tenant_id
        and webhook_endpoint.livemode = webhook_progress.livemode
        and webhook_endpoint.webhook_endpoint_id = webhook_progress.webhook_endpoint_id
    offset 0
) as endpoint
cross join lateral (
    select exists (
        select
        from webhook_replay
        where webhook_replay.tenant_id = webhook_progress.tenant_id
            and webhook_replay.livemode = webhook_progress.livemode
            and webhook_replay.webhook_endpoint_id = webhook_progress.webhook_endpoint_id
            and webhook_replay.webhook_replay_id > webhook_progress.replayed_id
    ) as is_wanted
) as replay
where webhook_progress.holder = $1::uuid
    and (
        book.sequence > coalesce(webhook_progress.position, -1)
        or endpoint.version is distinct from webhook_progress.version
        or replay.is_wanted
    )
