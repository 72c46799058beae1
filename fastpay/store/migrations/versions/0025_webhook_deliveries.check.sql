-- One row for each thing that is wrong; none when the migration did all of its work.
select 'table ' || name || ' is missing' as problem
from (
    values ('webhook_instance'), ('webhook_cursor'), ('webhook_exception'), ('webhook_attempt')
) as expected (name)
where to_regclass(name) is null
union all
select 'webhook_attempt is not partitioned'
where not exists (select from pg_partitioned_table where partrelid = to_regclass('webhook_attempt'))
