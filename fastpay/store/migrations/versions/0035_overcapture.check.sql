-- One row for each thing that is wrong; none when the migration did all of its work.
select 'no constraint ' || expected.name as fault
from (
    values ('charge_captured_within_overcapture'), ('payment_intent_received_within_overcapture')
) as expected (name)
where not exists (
    select from pg_constraint as found where found.conname = expected.name and found.convalidated
)
union all
select found.conname || ' is still there'
from pg_constraint as found
where found.conname in ('charge_captured_within_amount', 'payment_intent_received_within_amount')
