-- The file of a settlement.
-- $1 uuid    tenant
-- $2 boolean mode
-- $3 uuid    settlement
select processor, digest, currency, lag_days
from settlement_file
where tenant_id = $1::uuid and livemode = $2::boolean and settlement_id = $3::uuid
