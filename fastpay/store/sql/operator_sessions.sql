-- The open sessions of an operator, newest first.
-- $1 operator_id uuid
-- $2 digest bytea: of the session that asks
-- $3 idle_ms integer
-- $4 age_ms integer
select
    way, agent, (extract(epoch from created_at) * 1000)::bigint as created_ms,
    (extract(epoch from seen_at) * 1000)::bigint as seen_ms, digest = $2::bytea as is_this
from operator_session
where operator_id = $1::uuid and ended_at is null
    and seen_at > now() - make_interval(secs => $3::integer / 1000.0)
    and created_at > now() - make_interval(secs => $4::integer / 1000.0)
order by created_at desc, digest
