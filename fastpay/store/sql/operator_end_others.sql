-- End the other sessions of a session's operator.
-- $1 operator_id uuid
-- $2 digest bytea: of the session that stays
with ended as (
    update operator_session set ended_at = now()
    where operator_id = $1::uuid and digest <> $2::bytea and ended_at is null
)
insert into operator_action (operator, action, subject)
select name, 'operator.other_sessions_ended', name
from operator
where operator_id = $1::uuid
