-- One row for each thing that is wrong; none when the migration did all of its work.
with expected (place, name) as (
    values
        ('object_version', 'object_version_book_fkey'),
        ('customer', 'customer_book_fkey'),
        ('payment_method', 'payment_method_book_fkey'),
        ('payment_method', 'payment_method_customer_fkey'),
        ('payment_method', 'payment_method_customer_fkey_update'),
        ('payment_intent', 'payment_intent_book_fkey'),
        ('payment_intent', 'payment_intent_customer_fkey'),
        ('payment_intent', 'payment_intent_customer_fkey_update'),
        ('charge', 'charge_payment_intent_fkey'),
        ('charge', 'charge_customer_fkey'),
        ('refund', 'refund_charge_fkey'),
        ('refund', 'refund_payment_intent_fkey'),
        ('transfer', 'transfer_account_fkey'),
        ('transfer', 'transfer_hold_fkey'),
        ('event', 'event_book_fkey'),
        ('idempotency', 'idempotency_book_fkey'),
        ('book', 'book_kept'),
        ('customer', 'customer_kept'),
        ('payment_method', 'payment_method_kept'),
        ('payment_intent', 'payment_intent_kept'),
        ('charge', 'charge_kept'),
        ('refund', 'refund_kept'),
        ('account', 'account_kept'),
        ('idempotency', 'idempotency_kept')
)
select 'trigger ' || name || ' is missing on ' || place as problem
from expected
where not exists (
    select
    from pg_trigger
    where tgrelid = to_regclass(expected.place) and tgname = expected.name and tgenabled = 'O' and not tgisinternal
)
union all
select 'foreign key ' || conname || ' is still there'
from pg_constraint
where contype = 'f'
    and connamespace = current_schema()::regnamespace
    and (
        conname in (select name from expected)
        or conname in (
            'charge_book_fkey', 'refund_book_fkey', 'transfer_debit_account_fkey', 'transfer_credit_account_fkey'
        )
    )
union all
select 'index charge_unsuccessful_by_payment_intent is missing'
where to_regclass('charge_unsuccessful_by_payment_intent') is null
