-- Use an invitation: store the password's hash and the second factor, and begin a session. No row if it is used up.
-- $1 digest bytea: of the invitation
-- $2 password_hash text
-- $3 sealed_secret bytea
-- $4 sealed_under text
-- $5 step bigint: the time step of the code
-- $6 session bytea: SHA-256 of the session's token
-- $7 agent text: the browser
with used as (
    update operator_invitation set used_at = now()
    where digest = $1::bytea and used_at is null and expires_at > now()
    returning operator_id
), accepted as (
    update operator
    set
        password_hash = $2::text, sealed_secret = $3::bytea, sealed_under = $4::text, last_step = $5::bigint,
        failures = 0, locked_until = '-infinity'
    where operator_id = (select operator_id from used) and not disabled
    returning operator_id, name
), noted as (
    insert into operator_action (operator, action, subject)
    select name, 'operator.joined', name
    from accepted
)
insert into operator_session (digest, operator_id, way, agent)
select $6::bytea, operator_id, 'invitation', $7::text
from accepted
returning operator_id
