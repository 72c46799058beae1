-- Webhook endpoints that are enabled, of all tenants, ordered by name.
-- $1 uuid    only behind this tenant
-- $2 boolean and mode
-- $3 uuid    and endpoint
-- $4 integer rows at most
select tenant_id, livemode, webhook_endpoint_id, version
from webhook_endpoint
where status = 'enabled' and (tenant_id, livemode, webhook_endpoint_id) > ($1::uuid, $2::boolean, $3::uuid)
order by tenant_id, livemode, webhook_endpoint_id
limit $4::integer
