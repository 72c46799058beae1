-- One row for each thing that is wrong; none when the migration did all of its work.
select 'index ' || name || ' is missing' as problem
from (values ('request_log_by_request'), ('request_log_by_object')) as expected (name)
where to_regclass(name) is null
