-- One row for each thing that is wrong; none when the migration did all of its work.
select 'table ' || name || ' is missing' as problem
from (values ('settlement'), ('settlement_file'), ('settlement_row')) as expected (name)
where to_regclass(name) is null
union all
select 'index ' || name || ' is missing'
from (
    values
        ('attempt_by_processor_id'), ('settlement_by_processor'), ('settlement_row_once'),
        ('settlement_row_settles_once'), ('settlement_row_by_status')
) as expected (name)
where to_regclass(name) is null
union all
select 'trigger ' || name || ' is missing'
from (values ('settlement_kept'), ('settlement_file_immutable'), ('settlement_row_kept')) as expected (name)
where not exists (select from pg_trigger where tgname = name and tgenabled = 'O')
union all
select 'transfers of settlements are refused'
where not exists (
    select
    from pg_proc
    where pronamespace = current_schema()::regnamespace and proname = 'check_transfers'
        and prosrc like '%settlement_difference%'
)
