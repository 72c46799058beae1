-- The latest actions of operators on one subject, newest first.
-- $1 subject text
-- $2 rows_max integer
select
    action_id, (extract(epoch from moment) * 1000)::bigint as moment_ms, operator, action, subject, detail, request_id
from operator_action
where subject = $1::text
order by action_id desc
limit $2::integer
