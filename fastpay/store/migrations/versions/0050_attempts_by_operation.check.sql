-- One row for each thing that is wrong; none when the migration did all of its work.
select 'column attempt.operation is missing' as problem
where not exists (
    select
    from pg_attribute
    where attrelid = to_regclass('attempt') and attname = 'operation' and attnotnull and not attisdropped
)
union all
select 'constraint attempt_operation_known is missing'
where not exists (select from pg_constraint where conname = 'attempt_operation_known')
union all
select 'trigger attempt_kept is missing'
where not exists (select from pg_trigger where tgname = 'attempt_kept' and tgenabled = 'O')
