-- Note that a session is still its operator's, who has given the password with a code. No row if the code's time step
-- was used meanwhile, or the operator is locked.
-- $1 operator_id uuid
-- $2 step bigint
-- $3 digest bytea: of the session
with proved as (
    update operator set last_step = $2::bigint, failures = 0
    where operator_id = $1::uuid and last_step < $2::bigint and not disabled and locked_until <= now()
        and password_hash is not null
    returning operator_id, name
), noted as (
    insert into operator_action (operator, action, subject)
    select name, 'operator.confirmed', name
    from proved
)
update operator_session set proved_at = now()
from proved
where operator_session.digest = $3::bytea and operator_session.operator_id = proved.operator_id
returning operator_session.operator_id
