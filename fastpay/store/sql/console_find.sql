-- Where an object is: its tenant and mode, with the latest version. Identifiers are unique, so there is one at most.
-- $1 object_id uuid
select
    tenant.name as tenant, book.tenant_id, book.livemode, found.version, found.sequence, found.kind, found.snapshot
from book
join tenant on tenant.tenant_id = book.tenant_id
cross join lateral (
    select version, sequence, kind, snapshot
    from object_version
    where object_version.tenant_id = book.tenant_id
        and object_version.livemode = book.livemode
        and object_version.object_id = $1::uuid
    order by version desc
    limit 1
) as found
limit 1
