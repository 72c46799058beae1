-- One row for each thing that is wrong; none when the migration did all of its work.
select 'column attempt.setup_intent_id is missing' as problem
where not exists (
    select
    from pg_attribute
    where attrelid = to_regclass('attempt') and attname = 'setup_intent_id' and not attisdropped
)
union all
select 'constraint ' || name || ' is missing'
from (values ('attempt_of_one_intent'), ('attempt_setup_intent_fkey')) as expected (name)
where not exists (select from pg_constraint where conname = name)
union all
select 'attempts cannot set up cards'
where not exists (
    select
    from pg_constraint
    where conname = 'attempt_operation_known' and pg_get_constraintdef(oid) like '%setup%'
)
union all
select 'trigger attempt_kept is missing'
where not exists (select from pg_trigger where tgname = 'attempt_kept' and tgenabled = 'O')
