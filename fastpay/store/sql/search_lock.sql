-- Locks a tenant's search index for this transaction, so that one session at a time advances it. Returns the last
-- sequence number of the tenant.
-- $1 uuid    tenant
-- $2 boolean mode
select book.sequence
from search_progress
cross join lateral (
    select sequence
    from book
    where book.tenant_id = $1::uuid and book.livemode between $2::boolean and $2::boolean
    order by book.livemode desc
    limit 1
) as book
where search_progress.tenant_id = $1::uuid and search_progress.livemode = $2::boolean
for update of search_progress
