-- Payment intents of all tenants that are authorized and not captured, between two identifiers, the oldest first.
-- $1 uuid    only above this identifier
-- $2 uuid    only below this identifier
-- $3 integer rows at most
select tenant_id, livemode, payment_intent_id
from payment_intent
where status = 'requires_capture' and payment_intent_id > $1::uuid and payment_intent_id < $2::uuid
order by payment_intent_id
limit $3::integer
