-- Store a new second factor, with a password for who has none, and end the other sessions. No row if there is neither.
-- $1 operator_id uuid
-- $2 sealed_secret bytea
-- $3 sealed_under text
-- $4 step bigint: the time step of the code
-- $5 password_hash text: null to keep the present one
-- $6 session bytea: the digest of the one that stays
with changed as (
    update operator
    set
        sealed_secret = $2::bytea, sealed_under = $3::text, last_step = $4::bigint,
        password_hash = coalesce($5::text, password_hash)
    where operator_id = $1::uuid and ($5::text is not null or password_hash is not null)
    returning operator_id, name
), ended as (
    update operator_session set ended_at = now()
    where operator_id = (select operator_id from changed) and digest <> $6::bytea and ended_at is null
), noted as (
    insert into operator_action (operator, action, subject)
    select name, 'operator.authenticator_changed', name
    from changed
)
select operator_id from changed
