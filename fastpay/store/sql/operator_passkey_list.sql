-- The passkeys of an operator, oldest first.
-- $1 operator_id uuid
select
    passkey_id, name, credential_id, rp_id, (extract(epoch from created_at) * 1000)::bigint as created_ms,
    (extract(epoch from used_at) * 1000)::bigint as used_ms
from operator_passkey
where operator_id = $1::uuid
order by created_at, passkey_id
