-- Remove a passkey and end the other sessions: done, missing, or last_way. What an operator signs in with is locked, so
-- that two removals at a time do not leave nothing.
-- $1 operator_id uuid
-- $2 passkey_id uuid
-- $3 session bytea: the digest of the one that stays
with owner as (
    select operator_id, name, password_hash is not null as has_password
    from operator
    where operator_id = $1::uuid
    for update
), passkeys as (
    select passkey_id, name
    from operator_passkey
    where operator_id = (select operator_id from owner)
    order by passkey_id
    for update
), counted as (
    select
        count(*) filter (where passkey_id = $2::uuid) as own, count(*) filter (where passkey_id <> $2::uuid) as others
    from passkeys
), removed as (
    delete from operator_passkey
    where passkey_id = $2::uuid and operator_id = $1::uuid
        and (select others > 0 or (select has_password from owner) from counted)
    returning name
), ended as (
    update operator_session set ended_at = now()
    where operator_id = $1::uuid and digest <> $3::bytea and ended_at is null and exists (select from removed)
), noted as (
    insert into operator_action (operator, action, subject)
    select owner.name, 'passkey.removed', removed.name
    from owner, removed
)
select case
    when exists (select from removed) then 'done'
    when (select own from counted) = 0 then 'missing'
    else 'last_way'
end as outcome
