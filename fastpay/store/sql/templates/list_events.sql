-- A tenant's events between two numbers of its sequence: rows as in select_events.sql. Events of frequent types are
-- found by the order of the sequence, those of rare types by an index of these types. Along the sequence there may be
-- any number of events that clients do not see: how many are looked at is bounded.
-- $3  uuid        tenant
-- $4  boolean     mode
-- $5  bigint      only below this number
-- $6  bigint      only above this number
-- $7  boolean     nearest above first, instead of newest first
-- $8  integer     rows at most
-- $9  text[]      types to be found along the sequence
-- $10 text[]      types to be found by the index
-- $11 timestamptz created at this time or later
-- $12 timestamptz created before this time
-- $13 bigint      numbers that are looked at along the sequence, at most{parameters}
with place as (
    select 1::bigint as ordinal, tenant_id, livemode, sequence
    from book
    where tenant_id = $3::uuid and livemode = $4::boolean
),
head as (
    select place.ordinal, found.*
    from place
    cross join lateral (
        select *
        from (
            (
                select *
                from event
                where cardinality($9::text[]) > 0 and not $7::boolean
                    and tenant_id = $3::uuid and livemode = $4::boolean
                    and sequence < $5::bigint and sequence > $6::bigint
                    and sequence >= least($5::bigint, place.sequence + 1) - $13::bigint
                    and type = any($9::text[])
                    and created_at >= $11::timestamptz and created_at < $12::timestamptz
                order by sequence desc
                limit $8::integer
            )
            union all
            (
                select *
                from event
                where cardinality($9::text[]) > 0 and $7::boolean
                    and tenant_id = $3::uuid and livemode = $4::boolean
                    and sequence < $5::bigint and sequence > $6::bigint
                    and sequence <= $6::bigint + $13::bigint
                    and type = any($9::text[])
                    and created_at >= $11::timestamptz and created_at < $12::timestamptz
                order by sequence
                limit $8::integer
            )
            union all
            select rare.*
            from unnest($10::text[]) as wanted (type)
            cross join lateral (
                select *
                from event
                where not $7::boolean
                    -- A range and no equality: only the index by type has this order.
                    and (type, tenant_id, livemode, sequence) < (wanted.type, $3::uuid, $4::boolean, $5::bigint)
                    and (type, tenant_id, livemode, sequence) > (wanted.type, $3::uuid, $4::boolean, $6::bigint)
                    -- In the words of the index.
                    and type <> all ('{{charge.succeeded,payment_intent.created,payment_intent.succeeded}}')
                    and type <> all ('{{payment_intent.updated,payment_method.created}}')
                    and type not like 'ledger.%'
                    and created_at >= $11::timestamptz and created_at < $12::timestamptz
                order by type desc, tenant_id desc, livemode desc, sequence desc
                limit $8::integer
            ) as rare
            union all
            select rare.*
            from unnest($10::text[]) as wanted (type)
            cross join lateral (
                select *
                from event
                where $7::boolean
                    and (type, tenant_id, livemode, sequence) < (wanted.type, $3::uuid, $4::boolean, $5::bigint)
                    and (type, tenant_id, livemode, sequence) > (wanted.type, $3::uuid, $4::boolean, $6::bigint)
                    and type <> all ('{{charge.succeeded,payment_intent.created,payment_intent.succeeded}}')
                    and type <> all ('{{payment_intent.updated,payment_method.created}}')
                    and type not like 'ledger.%'
                    and created_at >= $11::timestamptz and created_at < $12::timestamptz
                order by type, tenant_id, livemode, sequence
                limit $8::integer
            ) as rare
        ) as candidate
        order by case when $7::boolean then sequence else -sequence end
        limit $8::integer
    ) as found
)
{events}
