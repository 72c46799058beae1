-- How far the rows of a settlement's file reach.
-- $1 uuid    tenant
-- $2 boolean mode
-- $3 uuid    settlement
select coalesce(max(position), 0) as position, min(value_date) as first, max(value_date) as last
from settlement_row
where tenant_id = $1::uuid and livemode = $2::boolean and settlement_id = $3::uuid and line is not null
