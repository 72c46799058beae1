-- Change an operator's role: done, missing, or last_admin. Administrators who can sign in are locked in one order, so
-- that two of them who demote each other do not leave nobody.
-- $1 name text
-- $2 role text
-- $3 actor text: who does it
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
    select operator_id, role
    from operator
    where name = $1::text
), changed as (
    update operator set role = $2::text
    where name = $1::text and role <> $2::text
        and (select $2::text = 'admin' or own = 0 or others > 0 from counted)
    returning operator_id
), noted as (
    insert into operator_action (operator, action, subject)
    select $3::text, 'operator.role_changed', $1::text || ' from ' || before.role || ' to ' || $2::text
    from changed
    join before on before.operator_id = changed.operator_id
)
select case
    when not exists (select from before) then 'missing'
    when exists (select from changed) or (select role = $2::text from before) then 'done'
    else 'last_admin'
end as outcome
