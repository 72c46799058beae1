-- One row for each thing that is wrong; none when the migration did all of its work.
select 'table rollout_guard is missing' as problem
where to_regclass('rollout_guard') is null
union all
select 'column rollout_change.reason is missing'
where not exists (
    select from pg_attribute where attrelid = to_regclass('rollout_change') and attname = 'reason'
)
