-- Add a passkey to an operator. No row if the challenge was answered before, if the passkey is somebody's, or if the
-- operator has as many as there may be.
-- $1 operator_id uuid
-- $2 passkey_id uuid
-- $3 name text
-- $4 credential_id bytea
-- $5 public_key bytea
-- $6 rp_id text
-- $7 sign_count bigint
-- $8 challenge bytea: its digest
-- $9 expires_ms bigint: the challenge's end
-- $10 passkeys_max integer
with spent as (
    insert into operator_challenge (digest, expires_at)
    values ($8::bytea, to_timestamp($9::bigint / 1000.0))
    on conflict (digest) do nothing
    returning digest
), owner as (
    select operator_id, name
    from operator
    where operator_id = $1::uuid and not disabled
), stored as (
    insert into operator_passkey (passkey_id, operator_id, name, credential_id, public_key, rp_id, sign_count)
    select $2::uuid, owner.operator_id, $3::text, $4::bytea, $5::bytea, $6::text, $7::bigint
    from owner, spent
    where (select count(*) from operator_passkey where operator_id = $1::uuid) < $10::integer
    on conflict (credential_id) do nothing
    returning operator_id
), noted as (
    insert into operator_action (operator, action, subject)
    select owner.name, 'passkey.added', $3::text
    from stored
    join owner on owner.operator_id = stored.operator_id
)
select operator_id from stored
