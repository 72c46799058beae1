-- The number of secrets by purpose and sealing key, which is null for those in plain text.
select 'fingerprint' as purpose, sealed_under, count(*) as secrets
from tenant
group by sealed_under
union all
select 'signing', sealed_under, count(*)
from signing_secret
group by sealed_under
union all
select 'operator', sealed_under, count(*)
from operator
where sealed_under is not null
group by sealed_under
union all
select 'processor', sealed_under, count(*)
from processor
group by sealed_under
union all
select 'token', sealed_under, count(*)
from payment_method_token
group by sealed_under
order by purpose, sealed_under
