-- Note that a session is still its operator's, who has used a passkey. No row if the challenge was answered before, or
-- the counter did not go on.
-- $1 passkey_id uuid
-- $2 sign_count bigint: of the authenticator
-- $3 challenge bytea: its digest
-- $4 expires_ms bigint: the challenge's end
-- $5 session bytea: its digest
with spent as (
    insert into operator_challenge (digest, expires_at)
    values ($3::bytea, to_timestamp($4::bigint / 1000.0))
    on conflict (digest) do nothing
    returning digest
), used as (
    update operator_passkey set sign_count = $2::bigint, used_at = now()
    where passkey_id = $1::uuid and (sign_count < $2::bigint or (sign_count = 0 and $2::bigint = 0))
        and exists (select from spent)
    returning operator_id
), proved as (
    update operator_session set proved_at = now()
    where digest = $5::bytea and operator_id = (select operator_id from used)
    returning operator_id
), noted as (
    insert into operator_action (operator, action, subject)
    select name, 'operator.confirmed', name
    from operator
    where operator_id = (select operator_id from proved)
)
select operator_id from proved
