-- One row for each thing that is wrong; none when the migration did all of its work.
select 'tokens may not be written' as problem
where not exists (
    select
    from pg_constraint
    where conname = 'object_version_kind_known' and pg_get_constraintdef(oid) like '%17%'
)
