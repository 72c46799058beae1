-- Replaces the ciphertext of an operator's second factor, unless someone else has replaced it.
-- $1 operator_id uuid, $2 sealed_secret bytea, $3 sealed_under text, $4 before bytea
update operator
set sealed_secret = $2, sealed_under = $3
where operator_id = $1 and sealed_secret = $4
