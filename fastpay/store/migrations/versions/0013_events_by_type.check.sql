-- One row for each thing that is wrong; none when the migration did all of its work.
select 'index event_by_type does not begin with type' as problem
where not exists (
    select
    from pg_index
    join pg_attribute on attrelid = indrelid and attnum = indkey[0]
    where indexrelid = to_regclass('event_by_type') and attname = 'type' and indpred is not null
)
