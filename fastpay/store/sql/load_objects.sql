-- The latest version of each of these objects.
-- $1 uuid[]    tenants
-- $2 boolean[] modes
-- $3 uuid[]    objects
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
