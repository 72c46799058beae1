-- The last sequence numbers of these tenants.
-- $1 uuid[]    tenants
-- $2 boolean[] modes
select wanted.tenant_id, wanted.livemode, found.sequence
from unnest($1::uuid[], $2::boolean[]) as wanted (tenant_id, livemode)
cross join lateral (
    select book.sequence
    from book
    where book.tenant_id = wanted.tenant_id and book.livemode between wanted.livemode and wanted.livemode
    order by book.livemode desc
    limit 1
) as found
