-- One row for each thing that is wrong; none when the migration did all of its work.
select 'no constraint ' || expected.name || ' on payment_intent' as fault
from (
    values ('payment_intent_received_when_captured'), ('payment_intent_parts_within_amount')
) as expected (name)
where not exists (
    select
    from pg_constraint as found
    where found.conrelid = to_regclass('payment_intent')
        and found.conname = expected.name
        and found.convalidated
)
union all
select 'payment_intent_received_when_succeeded is still there'
from pg_constraint as found
where found.conrelid = to_regclass('payment_intent')
    and found.conname = 'payment_intent_received_when_succeeded'
