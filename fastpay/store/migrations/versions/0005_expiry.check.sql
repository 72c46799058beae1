-- One row for each thing that is wrong; none when the migration did all of its work.
select 'table ledger_expiry is missing' as problem
where to_regclass('ledger_expiry') is null
union all
select 'index ' || name || ' is missing'
from (values ('ledger_expiry_by_time'), ('payment_intent_held')) as expected (name)
where to_regclass(name) is null
union all
select 'trigger ledger_transfer_expires is missing'
where not exists (select from pg_trigger where tgname = 'ledger_transfer_expires' and tgenabled = 'O')
