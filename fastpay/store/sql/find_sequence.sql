-- The last sequence number of a tenant at a time, 0 if there was none. The sequence has no gaps, and its times
-- increase, except where requests overtook each other. So this is a binary search over a few dozen events: from the
-- largest step down, a step is taken if it does not pass the time. Among events out of order it finds one of the
-- possible numbers.
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
                -- Without this the planner may read all events first if it expects few.
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
