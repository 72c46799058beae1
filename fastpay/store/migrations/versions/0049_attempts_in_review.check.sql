-- One row for each thing that is wrong; none when the migration did all of its work.
select 'index attempt_by_status is missing' as problem
where to_regclass('attempt_by_status') is null
union all
select 'attempts cannot be compensated'
where not exists (
    select
    from pg_constraint
    where conname = 'attempt_status_known' and pg_get_constraintdef(oid) like '%compensated%'
)
