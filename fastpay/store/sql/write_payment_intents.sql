-- Payment intents that were there before, as of their latest version.
-- $1 uuid[]    tenants
-- $2 boolean[] modes
-- $3 uuid[]    payment intents
-- $4 integer[] versions
-- $5 text[]    statuses
-- $6 bigint[]  amounts
-- $7 bigint[]  amounts capturable
-- $8 bigint[]  amounts received
-- $9 uuid[]    customers
update payment_intent
set version = changed.version, status = changed.status, amount = changed.amount,
    amount_capturable = changed.amount_capturable, amount_received = changed.amount_received,
    customer_id = changed.customer_id
from (
    select unnest($1::uuid[]) as tenant_id, unnest($2::boolean[]) as livemode,
        unnest($3::uuid[]) as payment_intent_id, unnest($4::integer[]) as version,
        unnest($5::text[]) as status, unnest($6::bigint[]) as amount,
        unnest($7::bigint[]) as amount_capturable, unnest($8::bigint[]) as amount_received,
        unnest($9::uuid[]) as customer_id
) as changed
where payment_intent.tenant_id = changed.tenant_id
    and payment_intent.livemode = changed.livemode
    and payment_intent.payment_intent_id = changed.payment_intent_id
