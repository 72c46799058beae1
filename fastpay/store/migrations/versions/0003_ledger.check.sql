-- One row for each thing that is wrong; none when the migration did all of its work.
select 'table ledger_transfer is missing' as problem
where to_regclass('ledger_transfer') is null
union all
select 'index ' || name || ' is missing'
from (
    values ('account_by_code'), ('ledger_transfer_by_debit_account'), ('ledger_transfer_by_credit_account'),
        ('ledger_transfer_ends_hold_once')
) as expected (name)
where to_regclass(name) is null
union all
select 'trigger ' || name || ' is missing'
from (values ('ledger_transfer_immutable'), ('ledger_transfer_refers')) as expected (name)
where not exists (select from pg_trigger where tgname = name and tgenabled = 'O')
