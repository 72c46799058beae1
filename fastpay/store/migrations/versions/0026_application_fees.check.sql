-- One row for each thing that is wrong; none when the migration did all of its work.
select 'table ' || name || ' is missing' as problem
from (values ('application_fee'), ('fee_refund')) as expected (name)
where to_regclass(name) is null
union all
select 'index ' || name || ' is missing'
from (values ('application_fee_by_charge'), ('fee_refund_by_application_fee')) as expected (name)
where to_regclass(name) is null
union all
select 'trigger ' || name || ' is missing'
from (
    values ('application_fee_charge_fkey'), ('application_fee_kept'), ('fee_refund_kept')
) as expected (name)
where not exists (select from pg_trigger where tgname = name and tgenabled = 'O')
