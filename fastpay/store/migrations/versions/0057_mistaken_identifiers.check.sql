-- One row for each thing that is wrong; none when the migration did all of its work.
select 'table rollout_mistaken is missing' as problem
where to_regclass('rollout_mistaken') is null
