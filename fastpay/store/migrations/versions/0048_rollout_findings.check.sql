-- One row for each thing that is wrong; none when the migration did all of its work.
select 'table ' || name || ' is missing' as problem
from (values ('rollout_finding'), ('rollout_example')) as expected (name)
where to_regclass(name) is null
