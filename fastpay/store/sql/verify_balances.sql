-- The trial balance of a tenant and mode: the totals of all accounts by currency.
-- $1 uuid    tenant
-- $2 boolean mode
select
    currency,
    sum(debits_posted) as debits_posted,
    sum(credits_posted) as credits_posted,
    sum(debits_pending) as debits_pending,
    sum(credits_pending) as credits_pending
from account
where tenant_id = $1::uuid and livemode = $2::boolean
group by currency
order by currency
