-- How many attempts of all tenants are in doubt.
select count(*) as attempts
from attempt
where held > 0
