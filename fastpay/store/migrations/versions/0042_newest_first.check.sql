-- One row for each thing that is wrong; none when the migration did all of its work.
select expected.name || ' does not look for the newest version first' as fault
from (
    values
        ('check_book', 'book.livemode'), ('check_object_versions', 'book.livemode'), ('check_events', 'book.livemode'),
        ('check_idempotency', 'book.livemode'), ('check_payment_methods', 'book.livemode'),
        ('check_payment_intents', 'book.livemode'), ('check_transfers', 'account.account_id'),
        ('check_ledger_transfers', 'account.account_id')
) as expected (name, key)
where not exists (
    select
    from pg_proc as found
    where found.pronamespace = current_schema()::regnamespace
        and found.proname = expected.name
        and found.prosrc like '%' || expected.key || ' between %order by ' || expected.key || ' desc%'
        and found.prosrc not like '%' || expected.key || ' = %'
)
