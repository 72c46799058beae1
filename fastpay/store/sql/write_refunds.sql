-- Refunds as of their latest version.
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
select *
from unnest(
    $1::uuid[], $2::boolean[], $3::uuid[], $4::integer[], $5::text[], $6::text[], $7::bigint[], $8::uuid[],
    $9::uuid[]
)
on conflict (tenant_id, livemode, refund_id) do update
set version = excluded.version, status = excluded.status
