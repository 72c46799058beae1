-- One row for each thing that is wrong; none when the migration did all of its work.
select 'index charge_by_group is missing' as problem
where to_regclass('charge_by_group') is null
