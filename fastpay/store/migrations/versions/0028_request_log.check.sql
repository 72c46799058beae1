-- One row for each thing that is wrong; none when the migration did all of its work.
select 'request_log is not partitioned' as problem
where not exists (select from pg_partitioned_table where partrelid = to_regclass('request_log'))
union all
select 'function ' || name || ' is missing'
from (values ('make_day_partitions'), ('drop_day_partitions')) as expected (name)
where not exists (select from pg_proc where proname = name)
