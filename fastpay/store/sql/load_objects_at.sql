-- The objects as of a sequence number.
-- $1 uuid    tenant
-- $2 boolean mode
-- $3 uuid[]  objects
-- $4 bigint  sequence
select found.version, found.sequence, found.kind, found.snapshot
from unnest($3::uuid[]) as wanted (object_id)
cross join lateral (
    select version, sequence, kind, snapshot
    from object_version
    where object_version.tenant_id = $1::uuid
        and object_version.livemode = $2::boolean
        and object_version.object_id = wanted.object_id
        and object_version.sequence <= $4::bigint
    order by version desc
    limit 1
) as found
