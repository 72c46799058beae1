-- Let a suspended operator sign in again: done, or missing.
-- $1 name text
-- $2 actor text: who does it
with enabled as (
    update operator set disabled = false
    where name = $1::text and disabled
    returning operator_id
), noted as (
    insert into operator_action (operator, action, subject)
    select $2::text, 'operator.enabled', $1::text
    from enabled
)
select case when exists (select from operator where name = $1::text) then 'done' else 'missing' end as outcome
