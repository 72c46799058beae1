-- For all tenants: add to what comparing has found, and keep the first examples of each name.
-- $1 changes bigint[], $2 routes text[], $3 measures text[], $4 names text[], $5 counts bigint[]
-- $6 example_changes bigint[], $7 example_routes text[], $8 example_names text[], $9 numbers integer[]
-- $10 requests text[], $11 request_ids text[], $12 legacy text[], $13 fastpay text[]
with counted as (
    insert into rollout_finding (change_id, route, measure, name, count)
    select one.change_id, one.route, one.measure, one.name, one.count
    from unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::bigint[]) as one (
        change_id, route, measure, name, count
    )
    -- Instances write at the same time, and lock the rows in this order.
    order by one.change_id, one.route, one.measure, one.name
    on conflict (change_id, route, measure, name) do update
    set count = rollout_finding.count + excluded.count, last_at = clock_timestamp()
)
insert into rollout_example (change_id, route, name, number, request, request_id, legacy, fastpay)
select
    one.change_id, one.route, one.name, one.number, one.request, one.request_id, one.legacy, one.fastpay
from unnest(
    $6::bigint[], $7::text[], $8::text[], $9::integer[], $10::text[], $11::text[], $12::text[], $13::text[]
) as one (change_id, route, name, number, request, request_id, legacy, fastpay)
order by one.change_id, one.route, one.name, one.number
on conflict (change_id, route, name, number) do nothing
