-- One row for each thing that is wrong; none when the migration did all of its work.
select 'table ' || name || ' is missing' as problem
from (
    values ('operator'), ('operator_invitation'), ('operator_session'), ('operator_action')
) as expected (name)
where to_regclass(name) is null
union all
select 'trigger ' || name || ' is missing'
from (values ('operator_kept'), ('operator_action_immutable')) as expected (name)
where not exists (select from pg_trigger where tgname = name and tgenabled = 'O')
