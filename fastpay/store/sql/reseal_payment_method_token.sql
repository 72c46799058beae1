-- Replaces the ciphertext of a token, unless someone else has replaced it.
-- $1 tenant_id uuid, $2 livemode boolean, $3 payment_method_id uuid, $4 sealed bytea, $5 sealed_under text
-- $6 before bytea
update payment_method_token
set sealed = $4, sealed_under = $5
where tenant_id = $1 and livemode = $2 and payment_method_id = $3 and sealed = $6
