-- Replaces the ciphertext of a processor's secrets, unless someone else has replaced it.
-- $1 tenant_id uuid, $2 livemode boolean, $3 name text, $4 sealed bytea, $5 sealed_under text, $6 before bytea
update processor
set sealed = $4, sealed_under = $5
where tenant_id = $1 and livemode = $2 and name = $3 and sealed = $6
