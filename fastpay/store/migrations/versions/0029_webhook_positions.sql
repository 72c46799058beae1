-- Positions and beats are appended, and what they replace is deleted by its key. A row that is updated again and again
-- leaves dead versions, and while one old snapshot is open nobody may remove them: each look at the row goes through all
-- of them. Here the newest row is the first in its index, and dead ones are behind it.

-- One row for each endpoint that was ever delivered to, the newest by `number`. Everything up to `position` is
-- acknowledged, not wanted, or in webhook_exception. `position_before` is that of the row which this one has replaced.
create table webhook_position (
    tenant_id uuid not null,
    livemode boolean not null,
    webhook_endpoint_id uuid not null,
    number bigint not null,
    version integer,
    position bigint not null,
    position_before bigint not null,
    previous_sequence bigint not null,
    failures integer not null,
    failing_since timestamptz,
    resume_at timestamptz,
    replayed_id uuid not null,
    replayed_through bigint not null,
    constraint webhook_position_pkey primary key (tenant_id, livemode, webhook_endpoint_id, number),
    constraint webhook_position_cursor_fkey foreign key (tenant_id, livemode, webhook_endpoint_id)
        references webhook_cursor (tenant_id, livemode, webhook_endpoint_id),
    constraint webhook_position_number_from_one check (number >= 1),
    constraint webhook_position_not_negative check (position_before >= 0),
    -- What was claimed to be delivered stays so.
    constraint webhook_position_forward check (position >= position_before),
    constraint webhook_position_previous_before check (previous_sequence <= position)
);

insert into webhook_position
select
    tenant_id, livemode, webhook_endpoint_id, 1, version, position, 0, previous_sequence, failures, failing_since,
    resume_at, replayed_id, replayed_through
from webhook_cursor
where position is not null;

-- A cursor has only what changes with its holder. A fencing number does not go back.
drop trigger webhook_cursor_forward on webhook_cursor;
alter table webhook_cursor
    drop column version,
    drop column position,
    drop column previous_sequence,
    drop column failures,
    drop column failing_since,
    drop column resume_at,
    drop column replayed_id,
    drop column replayed_through;
create or replace function refuse_going_back() returns trigger language plpgsql as $body$
begin
    raise exception 'the fencing number of % does not go back', tg_table_name
        using errcode = 'restrict_violation', constraint = tg_name;
end
$body$;
create trigger webhook_cursor_forward before update on webhook_cursor
    for each row when (new.fence < old.fence)
    execute function refuse_going_back();

-- The cursor of each endpoint with its newest position; null before anybody has read for it.
create view webhook_progress as
select
    webhook_cursor.tenant_id, webhook_cursor.livemode, webhook_cursor.webhook_endpoint_id, webhook_cursor.holder,
    webhook_cursor.fence, newest.version, newest.position, newest.previous_sequence,
    coalesce(newest.failures, 0) as failures, newest.failing_since, newest.resume_at,
    coalesce(newest.replayed_id, '00000000-0000-0000-0000-000000000000') as replayed_id,
    coalesce(newest.replayed_through, 0) as replayed_through
from webhook_cursor
left join lateral (
    select *
    from webhook_position
    where webhook_position.tenant_id = webhook_cursor.tenant_id
        and webhook_position.livemode = webhook_cursor.livemode
        and webhook_position.webhook_endpoint_id = webhook_cursor.webhook_endpoint_id
    order by number desc
    limit 1
) as newest on true;

-- The instances that deliver, with a row for each of their last beats.
drop table webhook_instance;
create table webhook_instance (
    seen_at timestamptz not null default clock_timestamp(),
    instance_id uuid not null,
    constraint webhook_instance_pkey primary key (seen_at, instance_id)
);
