-- The latest version of each of these objects, and in rows without a kind how far their tenants' books had come:
-- all as of the same moment, which is what makes the one prove something about the other.
-- $1 uuid[]    tenants of the objects
-- $2 boolean[] their modes
-- $3 uuid[]    objects
-- $4 uuid[]    tenants, each once
-- $5 boolean[] their modes
select
    wanted.tenant_id, wanted.livemode, found.version, found.sequence, found.kind, found.snapshot
from unnest($1::uuid[], $2::boolean[], $3::uuid[]) as wanted (tenant_id, livemode, object_id)
cross join lateral (
    select version, sequence, kind, snapshot
    from object_version
    where object_version.tenant_id = wanted.tenant_id
        and object_version.livemode = wanted.livemode
        and object_version.object_id = wanted.object_id
    order by version desc
    limit 1
) as found
union all
select wanted.tenant_id, wanted.livemode, 0, found.sequence, null, null
from unnest($4::uuid[], $5::boolean[]) as wanted (tenant_id, livemode)
cross join lateral (
    select book.sequence
    from book
    where book.tenant_id = wanted.tenant_id and book.livemode = wanted.livemode
    offset 0
) as found
