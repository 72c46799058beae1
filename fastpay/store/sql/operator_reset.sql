-- Invite an operator again who cannot sign in any more: password, second factor, passkeys and sessions end here.
-- No row if there is no operator of this name who is not suspended.
-- $1 name text
-- $2 digest bytea: SHA-256 of the token
-- $3 valid_ms integer
-- $4 actor text: who does it
with reset as (
    update operator
    set password_hash = null, sealed_secret = null, sealed_under = null, failures = 0, locked_until = '-infinity'
    where name = $1::text and not disabled
    returning operator_id
), removed as (
    delete from operator_passkey where operator_id = (select operator_id from reset)
), ended as (
    update operator_session set ended_at = now()
    where operator_id = (select operator_id from reset) and ended_at is null
), replaced as (
    update operator_invitation set used_at = now()
    where operator_id = (select operator_id from reset) and used_at is null
), noted as (
    insert into operator_action (operator, action, subject)
    select $4::text, 'operator.reset', $1::text
    from reset
)
insert into operator_invitation (digest, operator_id, expires_at)
select $2::bytea, operator_id, now() + make_interval(secs => $3::integer / 1000.0)
from reset
returning operator_id
