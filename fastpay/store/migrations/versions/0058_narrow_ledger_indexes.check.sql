-- One row for each thing that is wrong; none when the migration did all of its work.
select 'index ' || expected.name || ' is not by account, sequence and position' as problem
from (
    values
        ('ledger_transfer_by_debit_account', '(debit_account_id, sequence, "position")'),
        ('ledger_transfer_by_credit_account', '(credit_account_id, sequence, "position")')
) as expected (name, columns)
where not exists (
    select
    from pg_indexes
    where schemaname = current_schema()
        and indexname = expected.name
        and indexdef like '%USING btree ' || expected.columns || '%'
)
union all
select 'function ' || expected.name || ' does not check what it took over'
from (
    values ('check_accounts_moved', '%account_book_fkey%'), ('check_ledger_transfers', '%insert into ledger_expiry%')
) as expected (name, text)
where not exists (
    select
    from pg_proc
    where pronamespace = current_schema()::regnamespace and proname = expected.name and prosrc like expected.text
)
union all
select 'trigger ' || expected.name || ' is missing'
from (values ('account_checks'), ('account_kept'), ('book_kept'), ('ledger_transfer_checks')) as expected (name)
where not exists (select from pg_trigger where tgname = expected.name and tgenabled = 'O')
