-- Begin a session. No row if the code's time step was used meanwhile, or the operator is locked or disabled.
-- $1 operator_id uuid
-- $2 step bigint
-- $3 digest bytea: SHA-256 of the session's token
-- $4 agent text: the browser
with signed as (
    update operator set last_step = $2::bigint, failures = 0
    where operator_id = $1::uuid and last_step < $2::bigint and not disabled and locked_until <= now()
        and password_hash is not null
    returning operator_id, name
), noted as (
    insert into operator_action (operator, action, subject)
    select name, 'operator.signed_in', name
    from signed
)
insert into operator_session (digest, operator_id, way, agent)
select $3::bytea, operator_id, 'code', $4::text
from signed
returning operator_id
