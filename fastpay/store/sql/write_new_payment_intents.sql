-- Payment intents that were not there before, as of their latest version.
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
    tenant_id, livemode, payment_intent_id, version, status, currency, amount, amount_capturable,
    amount_received, customer_id
)
select unnest($1::uuid[]), unnest($2::boolean[]), unnest($3::uuid[]), unnest($4::integer[]),
    unnest($5::text[]), unnest($6::text[]), unnest($7::bigint[]), unnest($8::bigint[]), unnest($9::bigint[]),
    unnest($10::uuid[])
