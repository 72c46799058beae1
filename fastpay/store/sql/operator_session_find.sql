-- The operator of a session that is neither ended nor idle nor old. Notes that it is in use, at most once a minute.
-- $1 digest bytea
-- $2 idle_ms integer
-- $3 age_ms integer
-- $4 proof_ms integer: for how long a proof is recent
with found as (
    select
        operator_session.digest, operator_session.seen_at, operator.operator_id, operator.name, operator.role,
        operator_session.proved_at > now() - make_interval(secs => $4::integer / 1000.0) as is_proved
    from operator_session
    join operator on operator.operator_id = operator_session.operator_id
    where operator_session.digest = $1::bytea
        and operator_session.ended_at is null
        and operator_session.seen_at > now() - make_interval(secs => $2::integer / 1000.0)
        and operator_session.created_at > now() - make_interval(secs => $3::integer / 1000.0)
        and not operator.disabled
), seen as (
    update operator_session set seen_at = now()
    where digest = (select digest from found where seen_at < now() - interval '1 minute')
)
select operator_id, name, role, is_proved from found
