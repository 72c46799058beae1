-- One row for each thing that is wrong; none when the migration did all of its work.
select 'constraint rollout_finding_measure_known knows no latency and no money' as problem
where not exists (
    select
    from pg_constraint
    where conname = 'rollout_finding_measure_known'
        and pg_get_constraintdef(oid) like '%latency%'
        and pg_get_constraintdef(oid) like '%money%'
)
