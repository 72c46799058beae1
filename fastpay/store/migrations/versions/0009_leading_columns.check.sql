-- One row for each thing that is wrong; none when the migration did all of its work.
select 'index ' || name || ' does not begin with ' || first as problem
from (
    values ('account_by_code', 'code'), ('ledger_transfer_by_debit_account', 'debit_account_id'),
        ('ledger_transfer_by_credit_account', 'credit_account_id')
) as expected (name, first)
where not exists (
    select
    from pg_index
    join pg_attribute on attrelid = indrelid and attnum = indkey[0]
    where indexrelid = to_regclass(name) and attname = first
)
