-- The valid signing secrets of an API key, oldest first.
-- $1 tenant_id uuid, $2 livemode boolean, $3 key_id uuid, $4 now timestamptz
select secret_id, sealed, sealed_under, created_at, expires_at
from signing_secret
where tenant_id = $1
    and livemode = $2
    and key_id = $3
    and (expires_at is null or expires_at > $4)
order by created_at, secret_id
