-- For all tenants: the newest changes of routes.
-- $1 rows_max integer
select route, state, percent, change_id, changed_at, changed_by, reason
from rollout_change
order by change_id desc
limit $1::integer
