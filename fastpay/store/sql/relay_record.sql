-- For all tenants: store what became of deliveries, for the webhook endpoints that an instance still holds under these
-- fencing numbers, and return those. Of the others nothing is stored. The rows are locked first, in one order.
-- $1  instance_id uuid
-- $2  uuid[]    tenants
-- $3  boolean[] modes
-- $4  uuid[]    endpoints
-- $5  bigint[]  fences
-- $6  bigint[]  positions
-- $7  bigint[]  previous_sequences
-- $8  integer[] failures
-- $9  bigint[]  failing_since_ms
-- $10 bigint[]  resume_ms
-- $11 uuid[]    replayed_ids
-- $12 bigint[]  replayed_through
-- $13 integer[] versions
-- $14 integer[] generations
-- $15 integer[] changes
-- $16 bigint[]  delivered_through
-- $17 integer[] removed_of: numbers of endpoints above, from 1
-- $18 bigint[]  removed_sequences
-- $19 integer[] kept_of
-- $20 bigint[]  kept_sequences
-- $21 bigint[]  kept_previous
-- $22 uuid[]    kept_objects
-- $23 integer[] kept_attempts
-- $24 bigint[]  kept_due_ms
-- $25 integer[] attempts_of
-- $26 uuid[]    attempts
-- $27 uuid[]    events
-- $28 text[]    types
-- $29 bigint[]  sequences
-- $30 integer[] numbers
-- $31 smallint[] statuses
-- $32 text[]    reasons
-- $33 integer[] latencies
-- $34 text[]    excerpts
-- $35 integer[] retry_after
-- $36 bigint[]  next_attempt_s
with given as (
    select *
    from unnest(
        $2::uuid[], $3::boolean[], $4::uuid[], $5::bigint[], $6::bigint[], $7::bigint[], $8::integer[],
        $9::bigint[], $10::bigint[], $11::uuid[], $12::bigint[], $13::integer[], $14::integer[], $15::integer[],
        $16::bigint[]
    ) with ordinality as given (
        tenant_id, livemode, endpoint_id, fence, position, previous, failures, failing_since_ms, resume_ms,
        replayed_id, replayed_through, version, generation, changes, delivered_through, number
    )
),
held as materialized (
    select
        webhook_cursor.tenant_id, webhook_cursor.livemode, webhook_cursor.webhook_endpoint_id, one.*,
        coalesce(newest.number, 0) as number_before, coalesce(newest.position, 0) as position_before,
        coalesce(newest.generation, 0) as generation_before
    from given as one (given_tenant, given_mode, endpoint_id, given_fence, given_position, given_previous,
        given_failures, failing_since_ms, resume_ms, given_replayed, given_through, given_version,
        given_generation, given_changes, given_delivered, number)
    join webhook_cursor on webhook_cursor.tenant_id = given_tenant
        and webhook_cursor.livemode = given_mode
        and webhook_cursor.webhook_endpoint_id = endpoint_id
    left join lateral (
        select webhook_position.number, webhook_position.position, webhook_position.generation
        from webhook_position
        where webhook_position.tenant_id = webhook_cursor.tenant_id
            and webhook_position.livemode = webhook_cursor.livemode
            and webhook_position.webhook_endpoint_id = webhook_cursor.webhook_endpoint_id
        order by webhook_position.number desc
        limit 1
    ) as newest on true
    where webhook_cursor.holder = $1::uuid and webhook_cursor.fence = given_fence
    order by webhook_cursor.tenant_id, webhook_cursor.livemode, webhook_cursor.webhook_endpoint_id
    for update of webhook_cursor
),
moved as (
    insert into webhook_position (
        tenant_id, livemode, webhook_endpoint_id, number, version, position, position_before, previous_sequence,
        failures, failing_since, resume_at, replayed_id, replayed_through, generation, changes, delivered_through
    )
    select
        tenant_id, livemode, webhook_endpoint_id, number_before + 1, given_version, given_position, position_before,
        given_previous, given_failures, timestamptz 'epoch' + failing_since_ms * interval '1 millisecond',
        timestamptz 'epoch' + nullif(resume_ms, 0) * interval '1 millisecond', given_replayed, given_through,
        given_generation, given_changes, given_delivered
    from held
),
-- What is deleted is looked for by its key, row by row: a join of tables with few live rows may read all dead ones.
replaced as (
    delete from webhook_position
    using held
    where webhook_position.ctid = (
        select found.ctid
        from webhook_position as found
        where found.tenant_id = held.tenant_id
            and found.livemode = held.livemode
            and found.webhook_endpoint_id = held.webhook_endpoint_id
            and found.number = held.number_before
    )
),
outdated as (
    delete from webhook_exception
    using held
    -- Asked once, before anything is read: a generation seldom ends.
    where (select bool_or(given_generation > generation_before) from held)
        and held.given_generation > held.generation_before
        and webhook_exception.tenant_id = held.tenant_id
        and webhook_exception.livemode = held.livemode
        and webhook_exception.webhook_endpoint_id = held.webhook_endpoint_id
        and webhook_exception.generation = held.generation_before
),
removed as (
    delete from webhook_exception
    using held, unnest($17::integer[], $18::bigint[]) as gone (number, sequence)
    where held.number = gone.number
        and webhook_exception.ctid = (
            select found.ctid
            from webhook_exception as found
            where found.tenant_id = held.tenant_id
                and found.livemode = held.livemode
                and found.webhook_endpoint_id = held.webhook_endpoint_id
                and found.generation = held.given_generation
                and found.sequence = gone.sequence
        )
),
kept as (
    insert into webhook_exception (
        tenant_id, livemode, webhook_endpoint_id, generation, sequence, previous_sequence, object_id, attempts,
        next_attempt_at
    )
    select
        held.tenant_id, held.livemode, held.webhook_endpoint_id, held.given_generation, one.sequence, one.previous,
        one.object_id, one.attempts, timestamptz 'epoch' + one.due_ms * interval '1 millisecond'
    from held
    join unnest(
        $19::integer[], $20::bigint[], $21::bigint[], $22::uuid[], $23::integer[], $24::bigint[]
    ) as one (number, sequence, previous, object_id, attempts, due_ms) on one.number = held.number
    on conflict (tenant_id, livemode, webhook_endpoint_id, generation, sequence) do update
        set attempts = excluded.attempts, next_attempt_at = excluded.next_attempt_at
),
attempted as (
    insert into webhook_attempt (
        tenant_id, livemode, webhook_endpoint_id, attempt_id, event_id, event_type, sequence, number, status,
        failure, latency_ms, excerpt, retry_after_s, next_attempt_at
    )
    select
        held.tenant_id, held.livemode, held.webhook_endpoint_id, one.attempt_id, one.event_id, one.event_type,
        one.sequence, one.attempt, one.status, one.failure, one.latency_ms, one.excerpt, one.retry_after_s,
        to_timestamp(one.next_attempt_s)
    from held
    join unnest(
        $25::integer[], $26::uuid[], $27::uuid[], $28::text[], $29::bigint[], $30::integer[], $31::smallint[],
        $32::text[], $33::integer[], $34::text[], $35::integer[], $36::bigint[]
    ) as one (
        number, attempt_id, event_id, event_type, sequence, attempt, status, failure, latency_ms, excerpt,
        retry_after_s, next_attempt_s
    ) on one.number = held.number
    on conflict (tenant_id, livemode, webhook_endpoint_id, attempt_id) do nothing
)
select number::integer as number from held
