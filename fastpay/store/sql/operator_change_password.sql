-- Change a password and end the other sessions. No row if there is none to change.
-- $1 operator_id uuid
-- $2 password_hash text
-- $3 session bytea: the digest of the one that stays
with changed as (
    update operator set password_hash = $2::text
    where operator_id = $1::uuid and password_hash is not null
    returning operator_id, name
), ended as (
    update operator_session set ended_at = now()
    where operator_id = (select operator_id from changed) and digest <> $3::bytea and ended_at is null
), noted as (
    insert into operator_action (operator, action, subject)
    select name, 'operator.password_changed', name
    from changed
)
select operator_id from changed
