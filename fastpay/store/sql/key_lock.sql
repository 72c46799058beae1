-- Locks a valid API key, so that no one else changes its signing secrets. Returns no row if there is no such key.
-- $1 tenant_id uuid, $2 livemode boolean, $3 key_id uuid, $4 now timestamptz
select kind, signature_required
from api_key
where tenant_id = $1
    and livemode = $2
    and key_id = $3
    and revoked_at is null
    and (expires_at is null or expires_at > $4)
for update
