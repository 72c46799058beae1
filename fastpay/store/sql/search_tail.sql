-- The events of a tenant after the end of its search index.
-- $1 uuid    tenant
-- $2 boolean mode
-- $3 integer events at most
select event.sequence, event.object_id
from (
    select coalesce(max(search_progress.sequence), 0) as sequence
    from search_progress
    where search_progress.tenant_id = $1::uuid and search_progress.livemode = $2::boolean
) as progress
cross join lateral (
    select event.sequence, event.object_id
    from event
    where event.tenant_id = $1::uuid
        and event.livemode = $2::boolean
        and event.sequence > progress.sequence
    order by event.sequence
    limit $3::integer
) as event
