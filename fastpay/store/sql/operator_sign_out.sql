-- End a session, or all of its operator's.
-- $1 digest bytea
-- $2 everywhere boolean
with ended as (
    update operator_session as other set ended_at = now()
    from operator_session as own
    where own.digest = $1::bytea and own.operator_id = other.operator_id
        and other.ended_at is null and ($2::boolean or other.digest = own.digest)
    returning other.operator_id
)
insert into operator_action (operator, action, subject)
select name, case when $2::boolean then 'operator.signed_out_everywhere' else 'operator.signed_out' end, name
from operator
where operator_id in (select operator_id from ended)
