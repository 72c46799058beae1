-- How far the deliveries to webhook endpoints of a tenant are.
-- One by one: PostgreSQL before 17 may look at all endpoints of the tenant instead of taking each from the index.
-- $1 uuid    tenant
-- $2 boolean mode
-- $3 uuid[]  endpoints
select
    webhook_progress.webhook_endpoint_id, webhook_progress.delivered_through, book.sequence,
    webhook_progress.failures, webhook_progress.resume_at > clock_timestamp() as is_paused
from unnest($3::uuid[]) as wanted (webhook_endpoint_id)
cross join lateral (
    select *
    from webhook_progress
    where webhook_progress.tenant_id = $1::uuid
        and webhook_progress.livemode = $2::boolean
        and webhook_progress.webhook_endpoint_id = wanted.webhook_endpoint_id
    offset 0
) as webhook_progress
cross join lateral (
    select sequence
    from book
    where book.tenant_id = webhook_progress.tenant_id
        and book.livemode between webhook_progress.livemode and webhook_progress.livemode
    order by book.livemode desc
    limit 1
) as book
where webhook_progress.position is not null
