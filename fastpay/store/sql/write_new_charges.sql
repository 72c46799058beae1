-- Charges that were not there before, as of their latest version.
-- $1 uuid[]    tenants
-- $2 boolean[] modes
-- $3 uuid[]    charges
-- $4 integer[] versions
-- $5 text[]    statuses
-- $6 boolean[] captured
-- $7 text[]    currencies
-- $8 bigint[]  amounts
-- $9 bigint[]  amounts captured
-- $10 bigint[] amounts refunded
-- $11 bigint[] fees
-- $12 uuid[]   payment intents
-- $13 uuid[]   customers
insert into charge (
    tenant_id, livemode, charge_id, version, status, captured, currency, amount, amount_captured,
    amount_refunded, fee, payment_intent_id, customer_id
)
select unnest($1::uuid[]), unnest($2::boolean[]), unnest($3::uuid[]), unnest($4::integer[]),
    unnest($5::text[]), unnest($6::boolean[]), unnest($7::text[]), unnest($8::bigint[]), unnest($9::bigint[]),
    unnest($10::bigint[]), unnest($11::bigint[]), unnest($12::uuid[]), unnest($13::uuid[])
