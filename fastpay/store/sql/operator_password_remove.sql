-- Remove password and second factor and end the other sessions: done, missing, or last_way. Locks as
-- operator_passkey_remove does.
-- $1 operator_id uuid
-- $2 session bytea: the digest of the one that stays
with owner as (
    select operator_id, password_hash is not null as has_password
    from operator
    where operator_id = $1::uuid
    for update
), passkeys as (
    select passkey_id
    from operator_passkey
    where operator_id = (select operator_id from owner)
    order by passkey_id
    for update
), removed as (
    update operator set password_hash = null, sealed_secret = null, sealed_under = null
    where operator_id = $1::uuid and password_hash is not null and (select count(*) from passkeys) > 0
    returning name
), ended as (
    update operator_session set ended_at = now()
    where operator_id = $1::uuid and digest <> $2::bytea and ended_at is null and exists (select from removed)
), noted as (
    insert into operator_action (operator, action, subject)
    select name, 'operator.password_removed', name
    from removed
)
select case
    when exists (select from removed) then 'done'
    when (select has_password from owner) then 'last_way'
    else 'missing'
end as outcome
