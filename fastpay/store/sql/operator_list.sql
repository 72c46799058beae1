-- All operators, in the order of their names, with their ways in and the sessions that are open.
-- $1 idle_ms integer
-- $2 age_ms integer
select
    operator.name, operator.role, operator.disabled, operator.password_hash is not null as has_password,
    (
        select count(*)
        from operator_passkey
        where operator_passkey.operator_id = operator.operator_id
    ) as passkeys,
    (
        select count(*)
        from operator_session
        where operator_session.operator_id = operator.operator_id
            and operator_session.ended_at is null
            and operator_session.seen_at > now() - make_interval(secs => $1::integer / 1000.0)
            and operator_session.created_at > now() - make_interval(secs => $2::integer / 1000.0)
    ) as sessions,
    (
        select (extract(epoch from max(seen_at)) * 1000)::bigint
        from operator_session
        where operator_session.operator_id = operator.operator_id
    ) as seen_ms
from operator
order by operator.name
