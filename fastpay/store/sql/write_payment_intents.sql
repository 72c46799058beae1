-- Payment intents as of their latest version.
-- $1 uuid[]    tenants
-- $2 boolean[] modes
-- $3 uuid[]    payment intents
-- $4 integer[] versions
-- $5 text[]    statuses
-- $6 text[]    currencies
-- $7 bigint[]  amounts
-- $8 bigint[]  amounts capturable
-- $9 bigint[]  amounts received
-- $10 uuid[]   customers
insert into payment_intent (
    tenant_id, livemode, payment_intent_id, version, status, currency, amount, amount_capturable, amount_received,
    customer_id
)
select *
from unnest(
    $1::uuid[], $2::boolean[], $3::uuid[], $4::integer[], $5::text[], $6::text[], $7::bigint[], $8::bigint[],
    $9::bigint[], $10::uuid[]
)
on conflict (tenant_id, livemode, payment_intent_id) do update
set version = excluded.version, status = excluded.status, currency = excluded.currency, amount = excluded.amount,
    amount_capturable = excluded.amount_capturable, amount_received = excluded.amount_received,
    customer_id = excluded.customer_id
