-- Currencies of a tenant in which the sum over all accounts is not zero.
select
    tenant_id, livemode, currency, sum(credits_posted - debits_posted) as posted,
    sum(credits_pending - debits_pending) as pending
from account
group by tenant_id, livemode, currency
having sum(credits_posted - debits_posted) <> 0 or sum(credits_pending - debits_pending) <> 0
