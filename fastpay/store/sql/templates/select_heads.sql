-- The heads in {table}, as a part of verify_versions.
-- $1 uuid    tenant
-- $2 boolean mode
select '{prefix}', {number}, {id}, version
from {table}
where tenant_id = $1::uuid and livemode = $2::boolean
