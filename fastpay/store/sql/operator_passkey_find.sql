-- What the signature of a passkey is checked with.
-- $1 credential_id bytea
select
    passkey.passkey_id, passkey.name as passkey, passkey.public_key, passkey.rp_id, passkey.sign_count,
    operator.operator_id, operator.name, operator.role
from operator_passkey as passkey
join operator on operator.operator_id = passkey.operator_id
where passkey.credential_id = $1::bytea and not operator.disabled
