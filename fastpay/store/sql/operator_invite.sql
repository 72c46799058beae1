-- Invite an operator: a new one, or one who has lost the password or the second factor, which end here.
-- $1 operator_id uuid: taken if the name is new
-- $2 name text
-- $3 role text
-- $4 digest bytea: SHA-256 of the token
-- $5 valid_ms integer
with invited as (
    insert into operator (operator_id, name, role) values ($1::uuid, $2::text, $3::text)
    on conflict (name) do update
    set role = excluded.role, disabled = false, password_hash = null, sealed_secret = null, sealed_under = null
    returning operator_id
), ended as (
    update operator_session set ended_at = now()
    where operator_id = (select operator_id from invited) and ended_at is null
), replaced as (
    update operator_invitation set used_at = now()
    where operator_id = (select operator_id from invited) and used_at is null
), noted as (
    insert into operator_action (operator, action, subject)
    values ('command line', 'operator.invited', $2::text || ' as ' || $3::text)
)
insert into operator_invitation (digest, operator_id, expires_at)
select $4::bytea, operator_id, now() + make_interval(secs => $5::integer / 1000.0)
from invited
