-- The exceptions of an endpoint belong to a generation. After some thousand changes the holder writes those that are left
-- under the next one, and the generation before is deleted. While one old snapshot is open nobody may remove dead
-- versions, and a look at the exceptions goes through those of one generation only: as many as there may be changes.
alter table webhook_exception
    add column generation integer not null default 0,
    drop constraint webhook_exception_pkey,
    add constraint webhook_exception_pkey
        primary key (tenant_id, livemode, webhook_endpoint_id, generation, sequence);
alter table webhook_exception alter column generation drop default;

-- `changes` is how many there were in the generation. Everything up to `delivered_through` is acknowledged or not wanted:
-- it is stored with the position, so that nobody has to look for the first exception.
alter table webhook_position
    add column generation integer not null default 0,
    add column changes integer not null default 0,
    add column delivered_through bigint;
update webhook_position
set delivered_through = least(position, (
    select min(sequence) - 1
    from webhook_exception
    where webhook_exception.tenant_id = webhook_position.tenant_id
        and webhook_exception.livemode = webhook_position.livemode
        and webhook_exception.webhook_endpoint_id = webhook_position.webhook_endpoint_id
));
alter table webhook_position
    alter column generation drop default,
    alter column changes drop default,
    alter column delivered_through set not null,
    add constraint webhook_position_generation_not_negative check (generation >= 0 and changes >= 0),
    add constraint webhook_position_delivered_before check (delivered_through <= position);

create or replace view webhook_progress as
select
    webhook_cursor.tenant_id, webhook_cursor.livemode, webhook_cursor.webhook_endpoint_id, webhook_cursor.holder,
    webhook_cursor.fence, newest.version, newest.position, newest.previous_sequence,
    coalesce(newest.failures, 0) as failures, newest.failing_since, newest.resume_at,
    coalesce(newest.replayed_id, '00000000-0000-0000-0000-000000000000') as replayed_id,
    coalesce(newest.replayed_through, 0) as replayed_through,
    coalesce(newest.generation, 0) as generation, coalesce(newest.changes, 0) as changes, newest.delivered_through
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
