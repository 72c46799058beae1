-- Begin a session by a passkey. No row if the challenge was answered before, or the counter did not go on.
-- $1 passkey_id uuid
-- $2 sign_count bigint: of the authenticator
-- $3 challenge bytea: its digest
-- $4 expires_ms bigint: the challenge's end
-- $5 session bytea: SHA-256 of the session's token
-- $6 agent text: the browser
with pruned as (
    -- A process whose clock is slow takes a challenge for a while after its end.
    delete from operator_challenge where expires_at < now() - interval '1 hour'
), spent as (
    insert into operator_challenge (digest, expires_at)
    values ($3::bytea, to_timestamp($4::bigint / 1000.0))
    on conflict (digest) do nothing
    returning digest
), used as (
    update operator_passkey set sign_count = $2::bigint, used_at = now()
    where passkey_id = $1::uuid and (sign_count < $2::bigint or (sign_count = 0 and $2::bigint = 0))
        and exists (select from spent)
    returning operator_id
), signed as (
    select operator_id, name
    from operator
    where operator_id = (select operator_id from used) and not disabled
), noted as (
    insert into operator_action (operator, action, subject)
    select name, 'operator.signed_in', name
    from signed
)
insert into operator_session (digest, operator_id, way, agent)
select $5::bytea, operator_id, 'passkey', $6::text
from signed
returning operator_id
