-- Charges as of their latest version.
-- $1 uuid[]     tenants
-- $2 boolean[]  modes
-- $3 uuid[]     charges
-- $4 integer[]  versions
-- $5 text[]     statuses
-- $6 boolean[]  captured
-- $7 text[]     currencies
-- $8 bigint[]   amounts
-- $9 bigint[]   amounts captured
-- $10 bigint[]  amounts refunded
-- $11 bigint[]  fees
-- $12 uuid[]    payment intents
-- $13 uuid[]    customers
insert into charge (
    tenant_id, livemode, charge_id, version, status, captured, currency, amount, amount_captured, amount_refunded,
    fee, payment_intent_id, customer_id
)
select *
from unnest(
    $1::uuid[], $2::boolean[], $3::uuid[], $4::integer[], $5::text[], $6::boolean[], $7::text[], $8::bigint[],
    $9::bigint[], $10::bigint[], $11::bigint[], $12::uuid[], $13::uuid[]
)
on conflict (tenant_id, livemode, charge_id) do update
set version = excluded.version, status = excluded.status, captured = excluded.captured,
    amount_captured = excluded.amount_captured, amount_refunded = excluded.amount_refunded, fee = excluded.fee
