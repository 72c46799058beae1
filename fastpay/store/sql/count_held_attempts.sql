-- How many attempts of all tenants are in doubt in each currency, and their amounts.
select currency, count(*) as attempts, sum(held)::bigint as amount
from attempt
where held > 0
group by currency
