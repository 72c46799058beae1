-- One row for each thing that is wrong; none when the migration did all of its work.
select 'function require_books is missing' as problem
where to_regprocedure('require_books(boolean)') is null
