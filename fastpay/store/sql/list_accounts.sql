-- The ledger accounts of a tenant and mode with one of these codes.
-- $1 uuid    tenant
-- $2 boolean mode
-- $3 text[]  codes
select
    account.account_id, account.code, account.currency, account.normal_side, account.debits_posted,
    account.credits_posted, account.debits_pending, account.credits_pending, account.min_balance
from unnest($3::text[]) as wanted (code)
cross join lateral (
    select *
    from account
    where account.tenant_id = $1::uuid and account.livemode = $2::boolean and account.code = wanted.code
    offset 0
) as account
order by account.currency, account.code
