-- The latest actions of operators, newest first: all of them, or those on one subject.
-- $1 bigint below
-- $2 integer limit
-- $3 text subject: null for all
select action_id, (extract(epoch from moment) * 1000)::bigint as moment_ms, operator, action, subject, request_id
from (
    (
        select *
        from operator_action
        where $3::text is null and action_id < $1::bigint
        order by action_id desc
        limit $2::integer
    )
    union all
    (
        select *
        from operator_action
        where subject = $3::text and action_id < $1::bigint
        order by action_id desc
        limit $2::integer
    )
) as action
order by action_id desc
