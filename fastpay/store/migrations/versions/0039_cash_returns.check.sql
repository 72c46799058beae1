-- One row for each thing that is wrong; none when the migration did all of its work.
select 'no constraint ' || expected.name as problem
from (
    values ('cash_transaction_amount_by_type')
) as expected (name)
where not exists (
    select from pg_constraint as found where found.conname = expected.name and found.convalidated
)
union all
select 'column refund.' || column_name || ' must have a value'
from information_schema.columns
where table_schema = current_schema() and table_name = 'refund'
    and column_name in ('charge_id', 'payment_intent_id') and is_nullable = 'NO'
