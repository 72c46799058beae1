-- Refunds that were not there before, as of their latest version.
-- $1 uuid[]    tenants
-- $2 boolean[] modes
-- $3 uuid[]    refunds
-- $4 integer[] versions
-- $5 text[]    statuses
-- $6 text[]    currencies
-- $7 bigint[]  amounts
-- $8 uuid[]    charges
-- $9 uuid[]    payment intents
insert into refund (
    tenant_id, livemode, refund_id, version, status, currency, amount, charge_id, payment_intent_id
)
select unnest($1::uuid[]), unnest($2::boolean[]), unnest($3::uuid[]), unnest($4::integer[]),
    unnest($5::text[]), unnest($6::text[]), unnest($7::bigint[]), unnest($8::uuid[]), unnest($9::uuid[])
