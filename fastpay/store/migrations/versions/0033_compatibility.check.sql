-- One row for each thing that is wrong; none when the migration did all of its work.
select 'schema_compatibility has no row' as problem
where not exists (select from schema_compatibility)
