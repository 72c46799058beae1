-- Invite an operator: a new one, or one who was invited and has not joined. No row for one who has joined.
-- $1 operator_id uuid: taken if the name is new
-- $2 name text
-- $3 role text
-- $4 digest bytea: SHA-256 of the token
-- $5 valid_ms integer
-- $6 actor text: who invites
with invited as (
    insert into operator (operator_id, name, role) values ($1::uuid, $2::text, $3::text)
    on conflict (name) do update set role = excluded.role, disabled = false
    where operator.password_hash is null
        and not exists (select from operator_passkey where operator_passkey.operator_id = operator.operator_id)
    returning operator_id
), replaced as (
    update operator_invitation set used_at = now()
    where operator_id = (select operator_id from invited) and used_at is null
), noted as (
    insert into operator_action (operator, action, subject)
    select $6::text, 'operator.invited', $2::text || ' as ' || $3::text
    from invited
)
insert into operator_invitation (digest, operator_id, expires_at)
select $4::bytea, operator_id, now() + make_interval(secs => $5::integer / 1000.0)
from invited
returning operator_id
