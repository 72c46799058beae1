-- For all tenants: the webhook endpoints that an instance holds.
-- $1 instance_id uuid
select tenant_id, livemode, webhook_endpoint_id, fence
from webhook_cursor
where holder = $1::uuid
