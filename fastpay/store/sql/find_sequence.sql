-- How far a tenant's sequence had come at a moment, 0 where it had not begun. The sequence has no gaps and its moments
-- rise but for requests that overtook each other. So a few dozen events tell: from the largest step down, each step is
-- taken where it does not lead past the moment. Among events out of order it finds one place of several.
-- $1 uuid    tenant
-- $2 boolean mode
-- $3 bigint  moment in milliseconds since 1970
with recursive search (sequence, step) as (
    select 0::bigint, 1::bigint << 40
    union all
    select
        search.sequence + case
            when exists (
                select 1
                from event
                where event.tenant_id = $1::uuid
                    and event.livemode = $2::boolean
                    and event.sequence = search.sequence + search.step
                    and event.created_at <= timestamptz 'epoch' + $3::bigint * interval '1 millisecond'
                -- Or all events may be gathered first, where the planner expects few.
                offset 0
            ) then search.step
            else 0
        end,
        search.step >> 1
    from search
    where search.step > 0
)
select sequence
from search
where step = 0
