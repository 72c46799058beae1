-- Payment intents of all tenants that are processing, above an identifier, oldest first.
-- $1 uuid    only above this identifier
-- $2 integer rows at most
select tenant_id, livemode, payment_intent_id
from payment_intent
where status = 'processing' and payment_intent_id > $1::uuid
order by payment_intent_id
limit $2::integer
