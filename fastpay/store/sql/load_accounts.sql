-- Ledger accounts by identifier.
-- $1 uuid[]    tenants
-- $2 boolean[] modes
-- $3 uuid[]    accounts
select
    account.tenant_id, account.livemode, account.account_id, account.code, account.currency, account.normal_side,
    account.debits_posted, account.credits_posted, account.debits_pending, account.credits_pending,
    account.min_balance
from unnest($1::uuid[], $2::boolean[], $3::uuid[]) as wanted (tenant_id, livemode, account_id)
cross join lateral (
    select *
    from account
    where account.tenant_id = wanted.tenant_id
        and account.livemode = wanted.livemode
        and account.account_id between wanted.account_id and wanted.account_id
    order by account.account_id desc
    limit 1
) as account
