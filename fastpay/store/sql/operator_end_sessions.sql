-- End all sessions of an operator: done, or missing.
-- $1 name text
-- $2 actor text: who does it
with found as (
    select operator_id
    from operator
    where name = $1::text
), ended as (
    update operator_session set ended_at = now()
    where operator_id = (select operator_id from found) and ended_at is null
), noted as (
    insert into operator_action (operator, action, subject)
    select $2::text, 'operator.sessions_ended', $1::text
    from found
)
select case when exists (select from found) then 'done' else 'missing' end as outcome
