-- What was asked and answered, for those who look into it later. No other table refers to this one, and nothing is
-- decided by it. A request is found by its identifier, which is random, in every partition.
create table request_log (
    tenant_id uuid not null,
    livemode boolean not null,
    request_id text not null,
    received_at timestamptz not null,
    duration_us integer not null,
    method text not null,
    path text not null,
    status smallint not null,
    key_id uuid,
    idempotency_key text,
    original_request_id text,
    parameters text,
    object_id text,
    sequence bigint,
    error_type text,
    error_code text,
    decline_code text,
    error_param text,
    error_message text,
    user_agent text,
    constraint request_log_pkey primary key (tenant_id, livemode, request_id, received_at),
    constraint request_log_parameters_length check (octet_length(parameters) <= 4096)
) partition by range (received_at);

-- Where the partition of a day begins, in the type of the table's key: a time, or an identifier that begins with one.
create function day_partition_bound(parent regclass, day date) returns text language sql stable as $body$
    select case format_type(atttypid, null)
        when 'uuid' then webhook_attempt_bound(day)::text
        else to_char(day, 'YYYY-MM-DD') || ' 00:00:00+00'
    end
    from pg_partitioned_table
    join pg_attribute on attrelid = partrelid and attnum = partattrs[0]
    where partrelid = parent
$body$;

-- Make the partitions of the days around now, and return how many were made. A partition is made apart and then
-- attached, so that inserts into the others go on. What is locked is left for the next time.
create function make_day_partitions(parent regclass) returns integer language plpgsql as $body$
declare
    today date := (clock_timestamp() at time zone 'UTC')::date;
    day date;
    name text;
    made integer := 0;
begin
    if not pg_try_advisory_xact_lock(hashtext('partitions of ' || parent::text)) then
        return 0;
    end if;
    set local lock_timeout = '500ms';
    for day in select generate_series(today - 1, today + 3, interval '1 day')::date loop
        name := parent::text || '_' || to_char(day, 'YYYYMMDD');
        if to_regclass(name) is null then
            execute format('create table %I (like %s including all)', name, parent);
            execute format(
                'alter table %s attach partition %I for values from (%L) to (%L)',
                parent, name, day_partition_bound(parent, day), day_partition_bound(parent, day + 1)
            );
            made := made + 1;
        end if;
    end loop;
    return made;
end
$body$;

-- Drop the partitions that end before the retention, each by itself: one that is locked is left for the next time.
-- Return how many were dropped.
create function drop_day_partitions(parent regclass, retention_days integer) returns integer
language plpgsql as $body$
declare
    today date := (clock_timestamp() at time zone 'UTC')::date;
    name text;
    dropped integer := 0;
begin
    if not pg_try_advisory_xact_lock(hashtext('partitions of ' || parent::text)) then
        return 0;
    end if;
    set local lock_timeout = '500ms';
    for name in
        select relname from pg_inherits join pg_class on pg_class.oid = inhrelid
        where inhparent = parent
            and relname < parent::text || '_' || to_char(today - retention_days, 'YYYYMMDD')
        order by relname
    loop
        begin
            execute format('drop table %I', name);
            dropped := dropped + 1;
        exception when lock_not_available then
            null;
        end;
    end loop;
    return dropped;
end
$body$;
