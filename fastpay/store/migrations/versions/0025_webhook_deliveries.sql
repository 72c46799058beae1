-- How far deliveries to webhook endpoints are. The events themselves are read from the log: no commit of a tenant
-- writes a row here.

-- The instances that deliver. One that has not renewed its row for some seconds may be succeeded by another.
create table webhook_instance (
    instance_id uuid not null,
    seen_at timestamptz not null default clock_timestamp(),
    constraint webhook_instance_pkey primary key (instance_id)
) with (fillfactor = 50);

-- One row for each endpoint that was ever delivered to. Everything up to `position` is acknowledged, not wanted, or in
-- webhook_exception; null before anybody has read for it. `previous_sequence` is the last event up to there that the
-- endpoint was sent. `version` is that of the endpoint which the holder has read. The holder may change the row while it
-- has the fencing number.
create table webhook_cursor (
    tenant_id uuid not null,
    livemode boolean not null,
    webhook_endpoint_id uuid not null,
    holder uuid,
    fence bigint not null,
    version integer,
    position bigint,
    previous_sequence bigint not null default 0,
    failures integer not null default 0,
    failing_since timestamptz,
    resume_at timestamptz,
    replayed_id uuid not null default '00000000-0000-0000-0000-000000000000',
    replayed_through bigint not null default 0,
    constraint webhook_cursor_pkey primary key (tenant_id, livemode, webhook_endpoint_id),
    constraint webhook_cursor_endpoint_fkey foreign key (tenant_id, livemode, webhook_endpoint_id)
        references webhook_endpoint (tenant_id, livemode, webhook_endpoint_id),
    constraint webhook_cursor_fence_from_one check (fence >= 1),
    constraint webhook_cursor_position_not_negative check (position >= 0),
    constraint webhook_cursor_previous_before check (previous_sequence <= position or position is null)
) with (fillfactor = 50);

create index webhook_cursor_by_holder on webhook_cursor (holder) where holder is not null;

-- A position never goes back: what was claimed to be delivered stays so.
create function refuse_going_back() returns trigger language plpgsql as $body$
begin
    raise exception 'the position of % does not go back', tg_table_name
        using errcode = 'restrict_violation', constraint = tg_name;
end
$body$;

create trigger webhook_cursor_forward before update on webhook_cursor
    for each row when (new.position < old.position or new.fence < old.fence)
    execute function refuse_going_back();

-- Events that a position has passed without an acknowledgement.
create table webhook_exception (
    tenant_id uuid not null,
    livemode boolean not null,
    webhook_endpoint_id uuid not null,
    sequence bigint not null,
    previous_sequence bigint not null,
    object_id uuid not null,
    attempts integer not null,
    next_attempt_at timestamptz not null,
    constraint webhook_exception_pkey primary key (tenant_id, livemode, webhook_endpoint_id, sequence),
    constraint webhook_exception_cursor_fkey foreign key (tenant_id, livemode, webhook_endpoint_id)
        references webhook_cursor (tenant_id, livemode, webhook_endpoint_id),
    constraint webhook_exception_previous_before check (previous_sequence < sequence),
    constraint webhook_exception_attempts_not_negative check (attempts >= 0)
) with (fillfactor = 70);

-- Attempts, for those who look after an endpoint. Their identifiers begin with the time, so a partition is a day.
create table webhook_attempt (
    tenant_id uuid not null,
    livemode boolean not null,
    webhook_endpoint_id uuid not null,
    attempt_id uuid not null,
    event_id uuid not null,
    event_type text not null,
    sequence bigint not null,
    number integer not null,
    status smallint,
    failure text,
    latency_ms integer not null,
    excerpt text not null,
    retry_after_s integer,
    next_attempt_at timestamptz,
    constraint webhook_attempt_pkey primary key (tenant_id, livemode, webhook_endpoint_id, attempt_id),
    constraint webhook_attempt_status_or_failure check ((status is null) <> (failure is null)),
    constraint webhook_attempt_excerpt_length check (octet_length(excerpt) <= 1024)
) partition by range (attempt_id);

-- The smallest identifier of a day.
create function webhook_attempt_bound(day date) returns uuid language sql immutable as $body$
    select (lpad(to_hex((extract(epoch from day::timestamp) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid
$body$;

-- Make the partitions of the days around now, and drop those that end before the retention. A partition is made apart
-- and then attached, so that inserts into the others go on. What is locked is left for the next time.
create function keep_webhook_attempts(retention_days integer) returns integer language plpgsql as $body$
declare
    today date := (clock_timestamp() at time zone 'UTC')::date;
    day date;
    name text;
    changed integer := 0;
begin
    if not pg_try_advisory_xact_lock(hashtext('keep_webhook_attempts')) then
        return 0;
    end if;
    set local lock_timeout = '500ms';
    for day in select generate_series(today - 1, today + 3, interval '1 day')::date loop
        name := 'webhook_attempt_' || to_char(day, 'YYYYMMDD');
        if to_regclass(name) is null then
            execute format('create table %I (like webhook_attempt including all)', name);
            execute format(
                'alter table webhook_attempt attach partition %I for values from (%L) to (%L)',
                name, webhook_attempt_bound(day), webhook_attempt_bound(day + 1)
            );
            changed := changed + 1;
        end if;
    end loop;
    for name in
        select relname from pg_inherits join pg_class on pg_class.oid = inhrelid
        where inhparent = 'webhook_attempt'::regclass
            and relname < 'webhook_attempt_' || to_char(today - retention_days, 'YYYYMMDD')
    loop
        execute format('drop table %I', name);
        changed := changed + 1;
    end loop;
    return changed;
exception when lock_not_available then
    return changed;
end
$body$;
