-- For all tenants: let others take over everything that an instance holds, and delete its beats, with those of instances
-- that have long gone.
-- $1 instance_id uuid
with released as (
    update webhook_cursor set holder = null where holder = $1::uuid
)
delete from webhook_instance
where instance_id = $1::uuid or seen_at < clock_timestamp() - interval '1 hour'
