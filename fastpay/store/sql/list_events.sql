-- A tenant's events between two numbers of its sequence, newest first, each with its object as its command wrote it.
-- The first column is the last number of the sequence, and is there without events as well. Events of frequent types
-- are found by the order of the sequence, those of rare types by an index of these types. Along the sequence there may
-- be any number of events that clients do not see: how many are looked at is bounded.
-- $1  uuid        tenant
-- $2  boolean     mode
-- $3  bigint      only below this number
-- $4  bigint      only above this number
-- $5  boolean     nearest above first, instead of newest first
-- $6  integer     rows at most
-- $7  text[]      types to be found along the sequence
-- $8  text[]      types to be found by the index
-- $9  text[]      types that need the version before as well
-- $10 timestamptz created at this time or later
-- $11 timestamptz created before this time
-- $12 bigint      numbers that are looked at along the sequence, at most
select
    book.sequence as last_sequence, event.sequence, event.event_id, event.type, event.version, event.request_id,
    (extract(epoch from event.created_at) * 1000)::bigint as moment_ms, event.version_sequence, event.kind,
    event.snapshot, event.previous_snapshot
from book
left join lateral (
    select head.*, found.sequence as version_sequence, found.kind, found.snapshot, previous.previous_snapshot
    from (
        select *
        from (
            (
                select *
                from event
                where cardinality($7::text[]) > 0 and not $5::boolean
                    and tenant_id = $1::uuid and livemode = $2::boolean
                    and sequence < $3::bigint and sequence > $4::bigint
                    and sequence >= least($3::bigint, book.sequence + 1) - $12::bigint
                    and type = any($7::text[])
                    and created_at >= $10::timestamptz and created_at < $11::timestamptz
                order by sequence desc
                limit $6::integer
            )
            union all
            (
                select *
                from event
                where cardinality($7::text[]) > 0 and $5::boolean
                    and tenant_id = $1::uuid and livemode = $2::boolean
                    and sequence < $3::bigint and sequence > $4::bigint
                    and sequence <= $4::bigint + $12::bigint
                    and type = any($7::text[])
                    and created_at >= $10::timestamptz and created_at < $11::timestamptz
                order by sequence
                limit $6::integer
            )
            union all
            select rare.*
            from unnest($8::text[]) as wanted (type)
            cross join lateral (
                select *
                from event
                where not $5::boolean
                    -- A range and no equality: only the index by type has this order.
                    and (type, tenant_id, livemode, sequence) < (wanted.type, $1::uuid, $2::boolean, $3::bigint)
                    and (type, tenant_id, livemode, sequence) > (wanted.type, $1::uuid, $2::boolean, $4::bigint)
                    -- In the words of the index.
                    and type <> all ('{charge.succeeded,payment_intent.created,payment_intent.succeeded}')
                    and type <> all ('{payment_intent.updated,payment_method.created}')
                    and type not like 'ledger.%'
                    and created_at >= $10::timestamptz and created_at < $11::timestamptz
                order by type desc, tenant_id desc, livemode desc, sequence desc
                limit $6::integer
            ) as rare
            union all
            select rare.*
            from unnest($8::text[]) as wanted (type)
            cross join lateral (
                select *
                from event
                where $5::boolean
                    and (type, tenant_id, livemode, sequence) < (wanted.type, $1::uuid, $2::boolean, $3::bigint)
                    and (type, tenant_id, livemode, sequence) > (wanted.type, $1::uuid, $2::boolean, $4::bigint)
                    and type <> all ('{charge.succeeded,payment_intent.created,payment_intent.succeeded}')
                    and type <> all ('{payment_intent.updated,payment_method.created}')
                    and type not like 'ledger.%'
                    and created_at >= $10::timestamptz and created_at < $11::timestamptz
                order by type, tenant_id, livemode, sequence
                limit $6::integer
            ) as rare
        ) as candidate
        order by case when $5::boolean then sequence else -sequence end
        limit $6::integer
    ) as head
    cross join lateral (
        select version, sequence, kind, snapshot
        from object_version
        where object_version.tenant_id = $1::uuid
            and object_version.livemode = $2::boolean
            and object_version.object_id = head.object_id
            and object_version.version = head.version
        offset 0
    ) as found
    left join lateral (
        select snapshot as previous_snapshot
        from object_version
        where head.type = any($9::text[])
            and object_version.tenant_id = $1::uuid
            and object_version.livemode = $2::boolean
            and object_version.object_id = head.object_id
            and object_version.version = head.version - 1
        offset 0
    ) as previous on true
) as event on true
where book.tenant_id = $1::uuid and book.livemode = $2::boolean
order by event.sequence desc
