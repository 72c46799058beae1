-- Use an invitation: store a passkey, and begin a session. No row if it is used up, or the passkey is somebody's.
-- $1 invitation bytea: its digest
-- $2 passkey_id uuid
-- $3 name text
-- $4 credential_id bytea
-- $5 public_key bytea
-- $6 rp_id text
-- $7 sign_count bigint
-- $8 session bytea: SHA-256 of the session's token
-- $9 agent text: the browser
with used as (
    update operator_invitation set used_at = now()
    where digest = $1::bytea and used_at is null and expires_at > now()
        and not exists (select from operator_passkey where credential_id = $4::bytea)
    returning operator_id
), accepted as (
    update operator set failures = 0, locked_until = '-infinity'
    where operator_id = (select operator_id from used) and not disabled
    returning operator_id, name
), stored as (
    insert into operator_passkey (passkey_id, operator_id, name, credential_id, public_key, rp_id, sign_count)
    select $2::uuid, operator_id, $3::text, $4::bytea, $5::bytea, $6::text, $7::bigint
    from accepted
), noted as (
    insert into operator_action (operator, action, subject)
    select name, 'operator.joined', name
    from accepted
)
insert into operator_session (digest, operator_id, way, agent)
select $8::bytea, operator_id, 'invitation', $9::text
from accepted
returning operator_id
