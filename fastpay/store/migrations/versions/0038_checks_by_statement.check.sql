-- One row for each thing that is wrong; none when the migration did all of its work.
select 'no trigger ' || expected.name as fault
from (
    values
        ('object_version_checks'), ('event_checks'), ('idempotency_checks'),
        ('payment_method_checks'), ('payment_method_checks_update'),
        ('payment_intent_checks'), ('payment_intent_checks_update'),
        ('charge_checks'), ('charge_checks_update'), ('refund_checks'), ('refund_checks_update'),
        ('account_checks'), ('account_checks_update'), ('transfer_checks'), ('ledger_transfer_checks'),
        ('book_rules')
) as expected (name)
where not exists (
    select from pg_trigger as found where found.tgname = expected.name and found.tgenabled in ('O', 'A')
)
union all
select found.conname || ' is still there'
from pg_constraint as found
where found.contype = 'c'
    and found.conrelid::regclass::text in (
        'event', 'idempotency', 'payment_method', 'payment_intent', 'charge', 'refund', 'account', 'transfer',
        'ledger_transfer'
    )
union all
select 'book.rules is generated'
from pg_attribute as found
where found.attrelid = to_regclass('book') and found.attname = 'rules' and found.attgenerated <> ''
union all
select 'the rules of a book are not as its columns have them'
where exists (
    select
    from book
    where rules is distinct from '[' || fee_basis_points || ',' || fee_fixed || ',' || refunds_may_overdraw
        || ',' || funds_delay_days || ',' || replace(amount_minimums::text, ' ', '') || ',"' || payout_interval
        || '",' || dispute_fee || ']'
)
