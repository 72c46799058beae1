-- For all tenants: forget what comparing has found on routes where nothing was compared for so long.
-- $1 days integer
with old as (
    select change_id, route
    from rollout_finding
    group by change_id, route
    having max(last_at) < now() - $1::integer * interval '1 day'
), forgotten as (
    delete from rollout_example using old
    where rollout_example.change_id = old.change_id and rollout_example.route = old.route
)
delete from rollout_finding using old
where rollout_finding.change_id = old.change_id and rollout_finding.route = old.route
