-- For all tenants: the state of each route that was set; a newer one of all routes counts in its place.
select distinct on (route) route, state, percent, change_id, changed_at, changed_by, reason
from rollout_change
where route = '*' or change_id > coalesce((select max(change_id) from rollout_change where route = '*'), 0)
order by route, change_id desc
