-- What is read of events: a row for each book in `place`, those of select_endpoints.sql, and one for each event in `head`
-- with its object as its command wrote it. Only events have a sequence, so they are last, newest first. The row of a book
-- has 1 as the version if endpoints are wanted that are not among the rows.
-- $1 text[]  types that need the version before as well
select
    place.ordinal, place.sequence as last_sequence, null::bigint as sequence, null::uuid as event_id, null as type,
    {has_endpoints} as version, null as request_id, null::bigint as created_s, null::bigint as version_sequence,
    null::smallint as kind, null::bytea as snapshot, null::bytea as previous_snapshot
from place
{endpoints}union all
select
    head.ordinal, null, head.sequence, head.event_id, head.type, head.version, head.request_id,
    floor(date_part('epoch', head.created_at))::bigint, found.sequence, found.kind, found.snapshot, previous.snapshot
from head
cross join lateral (
    select sequence, kind, snapshot
    from object_version
    where object_version.tenant_id = head.tenant_id
        and object_version.livemode = head.livemode
        and object_version.object_id = head.object_id
        and object_version.version = head.version
    offset 0
) as found
left join lateral (
    select snapshot
    from object_version
    where head.version > 1
        and head.type = any($1::text[])
        and object_version.tenant_id = head.tenant_id
        and object_version.livemode = head.livemode
        and object_version.object_id = head.object_id
        and object_version.version = head.version - 1
    offset 0
) as previous on true
order by sequence desc
