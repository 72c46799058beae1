-- One row for each thing that is wrong; none when the migration did all of its work.
select 'constraint ' || name || ' is missing' as problem
from (values ('operator_action_form_unique'), ('operator_action_detail_length')) as expected (name)
where not exists (select from pg_constraint where conname = name)
