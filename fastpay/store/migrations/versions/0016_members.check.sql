-- One row for each thing that is wrong; none when the migration did all of its work.
select 'table member is missing' as problem
where to_regclass('member') is null
