-- One row for each thing that is wrong; none when the migration did all of its work.
select 'table ' || name || ' is missing' as problem
from (values ('rollout_change'), ('rollout_key')) as expected (name)
where to_regclass(name) is null
union all
select 'trigger rollout_change_immutable is missing'
where not exists (
    select from pg_trigger where tgname = 'rollout_change_immutable' and tgenabled = 'O'
)
