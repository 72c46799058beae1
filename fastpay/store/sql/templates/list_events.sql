-- A tenant's events between two numbers of its sequence, found in their order: rows as in select_events.sql. There may be
-- any number of events among them that clients do not see: how many are looked at is bounded.
-- $3  uuid        tenant
-- $4  boolean     mode
-- $5  bigint      only below this number
-- $6  bigint      only above this number
-- $7  integer     rows at most
-- $8  text[]      types that are shown
-- $9  timestamptz created at this time or later
-- $10 timestamptz created before this time
-- $11 bigint      numbers that are looked at, at most{parameters}
with place as (
    select 1::bigint as ordinal, tenant_id, livemode, sequence
    from book
    where tenant_id = $3::uuid and livemode between $4::boolean and $4::boolean
    order by livemode desc
    limit 1
),
head as (
    select place.ordinal, found.*
    from place
    cross join lateral (
        select *
        from event
        where tenant_id = $3::uuid and livemode = $4::boolean
            and sequence < $5::bigint and sequence > $6::bigint
            and sequence {near} $11::bigint
            and type = any($8::text[])
            and created_at >= $9::timestamptz and created_at < $10::timestamptz
        order by sequence{direction}
        limit $7::integer
    ) as found
)
{events}
