-- One row for each thing that is wrong; none when the migration did all of its work.
select 'table import_scope is missing' as problem
where to_regclass('import_scope') is null
union all
select 'transfers of imports are refused'
where not exists (
    select
    from pg_proc
    where pronamespace = current_schema()::regnamespace and proname = 'check_transfers'
        and prosrc like '%opening_refund%'
)
