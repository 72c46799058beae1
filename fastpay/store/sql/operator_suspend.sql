-- Suspend an operator and end all sessions: done, missing, or last_admin. Locks as operator_set_role does.
-- $1 name text
-- $2 actor text: who does it
with admins as (
    select name
    from operator
    where role = 'admin' and not disabled and (
        password_hash is not null
        or exists (select from operator_passkey where operator_passkey.operator_id = operator.operator_id)
    )
    order by operator_id
    for update
), counted as (
    select count(*) filter (where name = $1::text) as own, count(*) filter (where name <> $1::text) as others
    from admins
), before as (
    select operator_id, disabled
    from operator
    where name = $1::text
), suspended as (
    update operator set disabled = true
    where name = $1::text and not disabled and (select own = 0 or others > 0 from counted)
    returning operator_id
), ended as (
    update operator_session set ended_at = now()
    where operator_id = (select operator_id from suspended) and ended_at is null
), voided as (
    update operator_invitation set used_at = now()
    where operator_id = (select operator_id from suspended) and used_at is null
), noted as (
    insert into operator_action (operator, action, subject)
    select $2::text, 'operator.suspended', $1::text
    from suspended
)
select case
    when not exists (select from before) then 'missing'
    when exists (select from suspended) or (select disabled from before) then 'done'
    else 'last_admin'
end as outcome
