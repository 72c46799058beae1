-- Sets the expiry of the signing secrets of an API key, unless they expire sooner.
-- $1 tenant_id uuid, $2 livemode boolean, $3 key_id uuid, $4 expires_at timestamptz
update signing_secret
set expires_at = least(expires_at, $4)
where tenant_id = $1 and livemode = $2 and key_id = $3
