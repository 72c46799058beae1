-- Payment intents of all tenants in test mode that are authorized and not captured, above an identifier and of at least
-- an age by the database's clock, oldest first. Identifiers begin with their time in milliseconds.
-- $1 uuid    only above this identifier
-- $2 bigint  age in milliseconds
-- $3 integer rows at most
select tenant_id, livemode, payment_intent_id
from payment_intent
where status = 'requires_capture' and not livemode
    and payment_intent_id > $1::uuid
    and payment_intent_id < rpad(
        lpad(to_hex((date_part('epoch', now()) * 1000)::bigint - $2::bigint), 12, '0'), 32, '0'
    )::uuid
order by payment_intent_id
limit $3::integer
