-- For all tenants: examples of differences since the routes were set.
-- $1 changes bigint[]
select change_id, route, name, number, request, request_id, legacy, fastpay, found_at
from rollout_example
where change_id = any ($1::bigint[])
order by route, name, number
