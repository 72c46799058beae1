-- The latest version of each of these objects, and in rows without a kind the last sequence numbers of their
-- tenants, all from one snapshot: so the objects are at least as new as the sequences. The ordinal is that of the
-- parameter.
-- $1 uuid[]    tenants of the objects
-- $2 boolean[] their modes
-- $3 uuid[]    objects
-- $4 uuid[]    tenants, each once
-- $5 boolean[] their modes
select
    wanted.ordinal, found.version, found.sequence, found.kind, found.snapshot
from unnest($1::uuid[], $2::boolean[], $3::uuid[]) with ordinality
    as wanted (tenant_id, livemode, object_id, ordinal)
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
select wanted.ordinal, 0, found.sequence, null, null
from unnest($4::uuid[], $5::boolean[]) with ordinality as wanted (tenant_id, livemode, ordinal)
cross join lateral (
    select book.sequence
    from book
    where book.tenant_id = wanted.tenant_id and book.livemode between wanted.livemode and wanted.livemode
    order by book.livemode desc
    limit 1
) as found
