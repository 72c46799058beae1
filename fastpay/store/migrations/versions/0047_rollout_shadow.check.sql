-- One row for each thing that is wrong; none when the migration did all of its work.
select 'constraint rollout_change_state_known does not know shadow' as problem
where not exists (
    select
    from pg_constraint
    where conname = 'rollout_change_state_known' and pg_get_constraintdef(oid) like '%shadow%'
)
