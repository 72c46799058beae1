-- Sets the expiry of a valid API key, unless it expires sooner. Returns no row if there is no such key.
-- $1 tenant_id uuid, $2 livemode boolean, $3 key_id uuid, $4 expires_at timestamptz, $5 now timestamptz
update api_key
set expires_at = least(expires_at, $4)
where tenant_id = $1
    and livemode = $2
    and key_id = $3
    and revoked_at is null
    and (expires_at is null or expires_at > $5)
returning kind, signature_required
