-- How many secrets there are of each purpose, under which sealing key; of those in plain that is null.
select 'fingerprint' as purpose, sealed_under, count(*) as secrets
from tenant
group by sealed_under
union all
select 'signing', sealed_under, count(*)
from signing_secret
group by sealed_under
order by purpose, sealed_under
