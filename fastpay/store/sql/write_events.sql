-- Events, each at its place in the tenant's sequence.
-- $1 uuid[]    tenants
-- $2 boolean[] modes
-- $3 bigint[]  sequences
-- $4 uuid[]    events
-- $5 text[]    types
-- $6 uuid[]    objects
-- $7 integer[] versions
-- $8 text[]    request identifiers
-- $9 bigint[]  moments in milliseconds since 1970
insert into event (tenant_id, livemode, sequence, event_id, type, object_id, version, request_id, created_at)
select
    new.tenant_id, new.livemode, new.sequence, new.event_id, new.type, new.object_id, new.version, new.request_id,
    timestamptz 'epoch' + new.moment_ms * interval '1 millisecond'
from unnest(
    $1::uuid[], $2::boolean[], $3::bigint[], $4::uuid[], $5::text[], $6::uuid[], $7::integer[], $8::text[],
    $9::bigint[]
) as new (tenant_id, livemode, sequence, event_id, type, object_id, version, request_id, moment_ms)
