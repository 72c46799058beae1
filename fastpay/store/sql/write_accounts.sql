-- Ledger accounts after the batch: one row each, however many transfers moved it.
-- $1 uuid[]    tenants
-- $2 boolean[] modes
-- $3 uuid[]    accounts
-- $4 text[]    codes
-- $5 text[]    currencies
-- $6 text[]    normal sides
-- $7 bigint[]  debits posted
-- $8 bigint[]  credits posted
-- $9 bigint[]  debits pending
-- $10 bigint[] credits pending
-- $11 bigint[] minimum balances
insert into account (
    tenant_id, livemode, account_id, code, currency, normal_side, debits_posted, credits_posted, debits_pending,
    credits_pending, min_balance
)
select *
from unnest(
    $1::uuid[], $2::boolean[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::bigint[], $8::bigint[],
    $9::bigint[], $10::bigint[], $11::bigint[]
)
on conflict (tenant_id, livemode, account_id) do update
set debits_posted = excluded.debits_posted, credits_posted = excluded.credits_posted,
    debits_pending = excluded.debits_pending, credits_pending = excluded.credits_pending
