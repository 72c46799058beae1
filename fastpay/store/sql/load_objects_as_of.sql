-- Objects, each as of a sequence of its own.
-- $1 uuid     tenant
-- $2 boolean  mode
-- $3 uuid[]   objects
-- $4 bigint[] sequences
select wanted.number, found.kind, found.snapshot
from unnest($3::uuid[], $4::bigint[]) with ordinality as wanted (object_id, sequence, number)
cross join lateral (
    select kind, snapshot
    from object_version
    where object_version.tenant_id = $1::uuid
        and object_version.livemode = $2::boolean
        and object_version.object_id = wanted.object_id
        and object_version.sequence <= wanted.sequence
    order by version desc
    limit 1
) as found
