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
-- $14 integer[] removed_of: numbers of endpoints above, from 1
-- $15 bigint[]  removed_sequences
-- $16 integer[] kept_of
-- $17 bigint[]  kept_sequences
-- $18 bigint[]  kept_previous
-- $19 uuid[]    kept_objects
-- $20 integer[] kept_attempts
-- $21 bigint[]  kept_due_ms
-- $22 integer[] attempts_of
-- $23 uuid[]    attempts
-- $24 uuid[]    events
-- $25 text[]    types
-- $26 bigint[]  sequences
-- $27 integer[] numbers
-- $28 smallint[] statuses
-- $29 text[]    reasons
-- $30 integer[] latencies
-- $31 text[]    excerpts
-- $32 integer[] retry_after
-- $33 bigint[]  next_attempt_s
with given as (
    select *
    from unnest(
        $2::uuid[], $3::boolean[], $4::uuid[], $5::bigint[], $6::bigint[], $7::bigint[], $8::integer[],
        $9::bigint[], $10::bigint[], $11::uuid[], $12::bigint[], $13::integer[]
    ) with ordinality as given (
        tenant_id, livemode, endpoint_id, fence, position, previous, failures, failing_since_ms, resume_ms,
        replayed_id, replayed_through, version, number
    )
),
held as materialized (
    select webhook_cursor.tenant_id, webhook_cursor.livemode, webhook_cursor.webhook_endpoint_id, one.*
    from given as one (given_tenant, given_mode, endpoint_id, given_fence, given_position, given_previous,
        given_failures, failing_since_ms, resume_ms, given_replayed, given_through, given_version, number)
    join webhook_cursor on webhook_cursor.tenant_id = given_tenant
        and webhook_cursor.livemode = given_mode
        and webhook_cursor.webhook_endpoint_id = endpoint_id
    where webhook_cursor.holder = $1::uuid and webhook_cursor.fence = given_fence
    order by webhook_cursor.tenant_id, webhook_cursor.livemode, webhook_cursor.webhook_endpoint_id
    for update of webhook_cursor
),
moved as (
    insert into webhook_position (
        tenant_id, livemode, webhook_endpoint_id, number, version, position, position_before, previous_sequence,
        failures, failing_since, resume_at, replayed_id, replayed_through
    )
    select
        held.tenant_id, held.livemode, held.webhook_endpoint_id, coalesce(newest.number, 0) + 1, given_version,
        given_position, coalesce(newest.position, 0), given_previous, given_failures,
        timestamptz 'epoch' + failing_since_ms * interval '1 millisecond',
        timestamptz 'epoch' + nullif(resume_ms, 0) * interval '1 millisecond', given_replayed, given_through
    from held
    left join lateral (
        select webhook_position.number, webhook_position.position
        from webhook_position
        where webhook_position.tenant_id = held.tenant_id
            and webhook_position.livemode = held.livemode
            and webhook_position.webhook_endpoint_id = held.webhook_endpoint_id
        order by webhook_position.number desc
        limit 1
    ) as newest on true
    returning tenant_id, livemode, webhook_endpoint_id, webhook_position.number
),
replaced as (
    delete from webhook_position
    using moved
    where webhook_position.tenant_id = moved.tenant_id
        and webhook_position.livemode = moved.livemode
        and webhook_position.webhook_endpoint_id = moved.webhook_endpoint_id
        and webhook_position.number = moved.number - 1
),
removed as (
    delete from webhook_exception
    using held, unnest($14::integer[], $15::bigint[]) as gone (number, sequence)
    where held.number = gone.number
        and webhook_exception.tenant_id = held.tenant_id
        and webhook_exception.livemode = held.livemode
        and webhook_exception.webhook_endpoint_id = held.webhook_endpoint_id
        and webhook_exception.sequence = gone.sequence
),
kept as (
    insert into webhook_exception (
        tenant_id, livemode, webhook_endpoint_id, sequence, previous_sequence, object_id, attempts, next_attempt_at
    )
    select
        held.tenant_id, held.livemode, held.webhook_endpoint_id, one.sequence, one.previous, one.object_id,
        one.attempts, timestamptz 'epoch' + one.due_ms * interval '1 millisecond'
    from held
    join unnest(
        $16::integer[], $17::bigint[], $18::bigint[], $19::uuid[], $20::integer[], $21::bigint[]
    ) as one (number, sequence, previous, object_id, attempts, due_ms) on one.number = held.number
    on conflict (tenant_id, livemode, webhook_endpoint_id, sequence) do update
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
        $22::integer[], $23::uuid[], $24::uuid[], $25::text[], $26::bigint[], $27::integer[], $28::smallint[],
        $29::text[], $30::integer[], $31::text[], $32::integer[], $33::bigint[]
    ) as one (
        number, attempt_id, event_id, event_type, sequence, attempt, status, failure, latency_ms, excerpt,
        retry_after_s, next_attempt_s
    ) on one.number = held.number
    on conflict (tenant_id, livemode, webhook_endpoint_id, attempt_id) do nothing
)
select number::integer as number from held
