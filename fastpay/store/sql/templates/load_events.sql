-- Events of many tenants by their numbers: rows as in select_events.sql. The ordinal is that of the tenant.
-- $3 uuid[]    tenants, each once
-- $4 boolean[] their modes
-- $5 uuid[]    tenants of the events
-- $6 boolean[] their modes
-- $7 bigint[]  ordinals of their tenants
-- $8 bigint[]  numbers of the sequence
-- $9 text[]    types that clients see{parameters}
with place as (
    select wanted.ordinal, wanted.tenant_id, wanted.livemode, book.sequence
    from unnest($3::uuid[], $4::boolean[]) with ordinality as wanted (tenant_id, livemode, ordinal)
    cross join lateral (
        select sequence
        from book
        where book.tenant_id = wanted.tenant_id and book.livemode between wanted.livemode and wanted.livemode
        order by book.livemode desc
        limit 1
    ) as book
),
head as (
    select wanted.ordinal, found.*
    from unnest($5::uuid[], $6::boolean[], $7::bigint[], $8::bigint[])
        as wanted (tenant_id, livemode, ordinal, sequence)
    cross join lateral (
        select *
        from event
        where event.tenant_id = wanted.tenant_id
            and event.livemode = wanted.livemode
            and event.sequence = wanted.sequence
            and event.type = any($9::text[])
        offset 0
    ) as found
)
{events}
