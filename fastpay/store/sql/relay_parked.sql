-- The numbers of events that the position of a tenant's webhook endpoint has passed without an acknowledgement. The relay
-- bounds how many an endpoint has.
-- $1 uuid    tenant
-- $2 boolean mode
-- $3 bigint  only below this number
-- $4 bigint  only above this number
select distinct parked.sequence
from webhook_endpoint
cross join lateral (
    select sequence
    from webhook_exception
    where webhook_exception.tenant_id = $1::uuid
        and webhook_exception.livemode = $2::boolean
        and webhook_exception.webhook_endpoint_id = webhook_endpoint.webhook_endpoint_id
        and sequence < $3::bigint and sequence > $4::bigint
    offset 0
) as parked
where webhook_endpoint.tenant_id = $1::uuid and webhook_endpoint.livemode = $2::boolean
    and not webhook_endpoint.deleted
