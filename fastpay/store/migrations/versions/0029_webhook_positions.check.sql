-- One row for each thing that is wrong; none when the migration did all of its work.
select 'webhook_position is missing' as problem
where to_regclass('webhook_position') is null
union all
select 'webhook_progress is missing'
where to_regclass('webhook_progress') is null
union all
select 'webhook_cursor still has positions'
where exists (
    select
    from information_schema.columns
    where table_schema = current_schema() and table_name = 'webhook_cursor' and column_name = 'position'
)
