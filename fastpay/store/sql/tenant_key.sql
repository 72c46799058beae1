-- The fingerprint key of a tenant, in plain text or sealed.
-- $1 tenant_id uuid
select fingerprint_key, sealed_fingerprint_key, sealed_under
from tenant
where tenant_id = $1::uuid
