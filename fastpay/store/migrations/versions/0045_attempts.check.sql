-- One row for each thing that is wrong; none when the migration did all of its work.
select 'table attempt is missing' as problem
where to_regclass('attempt') is null
union all
select 'index ' || name || ' is missing'
from (values ('attempt_by_payment_intent'), ('attempt_due'), ('attempt_held')) as expected (name)
where to_regclass(name) is null
union all
select 'trigger ' || name || ' is missing'
from (values ('attempt_payment_intent_fkey'), ('attempt_kept')) as expected (name)
where not exists (select from pg_trigger where tgname = name and tgenabled = 'O')
union all
select 'transfers of the kind in_doubt are refused'
where not exists (
    select
    from pg_proc
    where pronamespace = current_schema()::regnamespace and proname = 'check_transfers' and prosrc like '%in_doubt%'
)
