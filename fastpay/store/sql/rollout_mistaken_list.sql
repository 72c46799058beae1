-- For all tenants: what objects of the legacy API look like this server's.
select prefix, identifier, route, first_at, last_at
from rollout_mistaken
order by prefix
