-- Replaces the ciphertext of a signing secret, unless someone else has replaced it.
-- $1 tenant_id uuid, $2 livemode boolean, $3 key_id uuid, $4 secret_id uuid, $5 sealed bytea, $6 sealed_under text,
-- $7 before text
update signing_secret
set sealed = $5, sealed_under = $6
where tenant_id = $1 and livemode = $2 and key_id = $3 and secret_id = $4 and sealed_under = $7
