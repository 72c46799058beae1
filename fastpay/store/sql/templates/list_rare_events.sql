-- A tenant's events of rare types between two numbers of its sequence, found by an index of these types: rows as in
-- select_events.sql.
-- $3  uuid        tenant
-- $4  boolean     mode
-- $5  bigint      only below this number
-- $6  bigint      only above this number
-- $7  integer     rows at most
-- $8  text[]      types that are shown
-- $9  timestamptz created at this time or later
-- $10 timestamptz created before this time{parameters}
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
        select rare.*
        from unnest($8::text[]) as wanted (type)
        cross join lateral (
            select *
            from event
            -- A range and no equality: only the index by type has this order.
            where (type, tenant_id, livemode, sequence) < (wanted.type, $3::uuid, $4::boolean, $5::bigint)
                and (type, tenant_id, livemode, sequence) > (wanted.type, $3::uuid, $4::boolean, $6::bigint)
                -- In the words of the index.
                and type <> all ('{{charge.succeeded,payment_intent.created,payment_intent.succeeded}}')
                and type <> all ('{{payment_intent.updated,payment_method.created}}')
                and type not like 'ledger.%'
                and created_at >= $9::timestamptz and created_at < $10::timestamptz
            order by type{direction}, tenant_id{direction}, livemode{direction}, sequence{direction}
            limit $7::integer
        ) as rare
        order by sequence{direction}
        limit $7::integer
    ) as found
)
{events}
