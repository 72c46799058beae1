-- List a tenant's API keys in one mode, oldest first.
-- $1 tenant_id uuid, $2 livemode boolean
select key_id, kind, last4, created_at, expires_at, revoked_at
from api_key
where tenant_id = $1 and livemode = $2
order by created_at, key_id
