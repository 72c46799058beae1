-- For all tenants: set the state of a route.
-- $1 route text
-- $2 state text
-- $3 percent integer
-- $4 who text
insert into rollout_change (route, state, percent, changed_by)
values ($1::text, $2::text, $3::integer, $4::text)
