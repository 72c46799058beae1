-- Revokes an API key. Returns no row if there is no such key. A second call keeps the first time.
-- $1 tenant_id uuid, $2 livemode boolean, $3 key_id uuid, $4 revoked_at timestamptz
update api_key
set revoked_at = coalesce(revoked_at, $4)
where tenant_id = $1 and livemode = $2 and key_id = $3
returning key_id
