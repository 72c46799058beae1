-- One row for each thing that is wrong; none when the migration did all of its work.
with expected (name) as (
    values ('object_version'), ('customer'), ('payment_method'), ('payment_intent'), ('charge'), ('refund'),
        ('account'), ('transfer'), ('event'), ('idempotency')
)
select 'table ' || name || ' is missing' as problem
from expected
where to_regclass(name) is null
union all
select 'constraint ' || conname || ' is not validated'
from pg_constraint
where connamespace = current_schema()::regnamespace and not convalidated
union all
select 'trigger ' || name || '_immutable is missing'
from (values ('object_version'), ('transfer'), ('event')) as immutable (name)
where not exists (select from pg_trigger where tgname = immutable.name || '_immutable' and tgenabled = 'O')
