-- One row for each thing that is wrong; none when the migration did all of its work.
select 'table ' || name || ' is missing' as problem
from (values ('webhook_endpoint'), ('webhook_replay')) as expected (name)
where to_regclass(name) is null
union all
select 'index ' || name || ' is missing'
from (
    values ('webhook_endpoint_enabled'), ('webhook_endpoint_listed'), ('webhook_replay_by_endpoint')
) as expected (name)
where to_regclass(name) is null
union all
select 'trigger ' || name || ' is missing'
from (values ('webhook_endpoint_kept'), ('webhook_replay_kept')) as expected (name)
where not exists (select from pg_trigger where tgname = name and tgenabled = 'O')
