-- One row for each thing that is wrong; none when the migration did all of its work.
select 'index idempotency_by_age is still there' as problem
where to_regclass('idempotency_by_age') is not null
