-- For all tenants: let the legacy API answer a route, if it still is as that change set it.
-- $1 route text
-- $2 change_id bigint
-- $3 reason text
insert into rollout_change (route, state, percent, changed_by, reason)
select $1::text, 'legacy', 0, 'guardrail', $3::text
where $2::bigint = (select max(change_id) from rollout_change where route in ($1::text, '*'))
returning change_id
