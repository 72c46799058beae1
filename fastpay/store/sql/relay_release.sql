-- For all tenants: let others take over webhook endpoints that an instance holds.
-- $1 instance_id uuid
-- $2 uuid[]      tenants
-- $3 boolean[]   modes
-- $4 uuid[]      endpoints
update webhook_cursor
set holder = null
from unnest($2::uuid[], $3::boolean[], $4::uuid[]) as given (tenant_id, livemode, endpoint_id)
where webhook_cursor.tenant_id = given.tenant_id
    and webhook_cursor.livemode = given.livemode
    and webhook_cursor.webhook_endpoint_id = given.endpoint_id
    and holder = $1::uuid
