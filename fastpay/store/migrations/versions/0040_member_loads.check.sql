-- One row for each thing that is wrong; none when the migration did all of its work.
select 'column ' || name || ' is missing on member' as problem
from (values ('busy'), ('homes')) as expected (name)
where not exists (
    select from pg_attribute where attrelid = to_regclass('member') and attname = expected.name
)
