-- One row for each thing that is wrong; none when the migration did all of its work.
select 'table cash_transaction is missing' as problem
where to_regclass('cash_transaction') is null
union all
select 'index cash_transaction_by_customer is missing'
where to_regclass('cash_transaction_by_customer') is null
union all
select 'trigger ' || name || ' is missing'
from (
    values ('cash_transaction_customer_fkey'), ('cash_transaction_sources'), ('cash_transaction_kept')
) as expected (name)
where not exists (select from pg_trigger where tgname = name and tgenabled = 'O')
