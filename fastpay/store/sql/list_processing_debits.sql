-- Payment intents of all tenants in test mode that are processing, above an identifier, oldest first. Only there
-- are debits; a live payment that is processing waits for its processor, and ends by the outcome of its attempt.
-- $1 uuid    only above this identifier
-- $2 integer rows at most
select tenant_id, livemode, payment_intent_id
from payment_intent
where status = 'processing' and not livemode and payment_intent_id > $1::uuid
order by payment_intent_id
limit $2::integer
