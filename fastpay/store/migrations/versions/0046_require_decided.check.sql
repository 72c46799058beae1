-- One row for each thing that is wrong; none when the migration did all of its work.
select 'function require_decided is missing' as problem
where to_regprocedure('require_decided(boolean, boolean)') is null
