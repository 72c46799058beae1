-- All operators, in the order of their names.
select
    operator.name, operator.role, operator.disabled, operator.password_hash is not null as is_set_up,
    (
        select max(seen_at)
        from operator_session
        where operator_session.operator_id = operator.operator_id
    ) as seen_at
from operator
order by operator.name
