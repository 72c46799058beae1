-- Replaces the ciphertext of a fingerprint key, unless someone else has replaced it.
-- $1 tenant_id uuid, $2 sealed_fingerprint_key bytea, $3 sealed_under text, $4 before text
update tenant
set fingerprint_key = null, sealed_fingerprint_key = $2, sealed_under = $3
where tenant_id = $1 and sealed_under is not distinct from $4
