-- Writes ledger accounts that may not exist yet: one row an account, however many transfers moved it.
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
    tenant_id, livemode, account_id, code, currency, normal_side, debits_posted, credits_posted,
    debits_pending, credits_pending, min_balance
)
select unnest($1::uuid[]), unnest($2::boolean[]), unnest($3::uuid[]), unnest($4::text[]), unnest($5::text[]),
    unnest($6::text[]), unnest($7::bigint[]), unnest($8::bigint[]), unnest($9::bigint[]),
    unnest($10::bigint[]), unnest($11::bigint[])
on conflict (tenant_id, livemode, account_id) do update
set debits_posted = excluded.debits_posted, credits_posted = excluded.credits_posted,
    debits_pending = excluded.debits_pending, credits_pending = excluded.credits_pending
