-- Disable an operator, and end all sessions. Returns a row if there is one of this name.
-- $1 name text
with disabled as (
    update operator set disabled = true, password_hash = null, sealed_secret = null, sealed_under = null
    where name = $1::text
    returning operator_id
), ended as (
    update operator_session set ended_at = now()
    where operator_id = (select operator_id from disabled) and ended_at is null
), voided as (
    update operator_invitation set used_at = now()
    where operator_id = (select operator_id from disabled) and used_at is null
), noted as (
    insert into operator_action (operator, action, subject)
    select 'command line', 'operator.disabled', $1::text
    from disabled
)
select operator_id from disabled
