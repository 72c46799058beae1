-- All ledger accounts of a tenant and mode.
-- $1 uuid    tenant
-- $2 boolean mode
select
    account_id, code, currency, normal_side, debits_posted, credits_posted, debits_pending, credits_pending,
    min_balance
from account
where tenant_id = $1::uuid and livemode = $2::boolean
order by currency, code
