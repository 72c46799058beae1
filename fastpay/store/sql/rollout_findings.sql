-- For all tenants: what comparing has found since the routes were set.
-- $1 changes bigint[]
select change_id, route, measure, name, count, first_at, last_at
from rollout_finding
where change_id = any ($1::bigint[])
order by route, measure, count desc, name
