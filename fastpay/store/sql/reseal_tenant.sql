-- Put a fingerprint key sealed anew in its place, unless somebody else did so meanwhile.
-- $1 tenant_id uuid, $2 sealed_fingerprint_key bytea, $3 sealed_under text, $4 before text
update tenant
set fingerprint_key = null, sealed_fingerprint_key = $2, sealed_under = $3
where tenant_id = $1 and sealed_under is not distinct from $4
