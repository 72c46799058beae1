-- One row for each thing that is wrong; none when the migration did all of its work.
select 'cache_seal has no key' as problem
where (select count(*) from cache_seal) <> 1
