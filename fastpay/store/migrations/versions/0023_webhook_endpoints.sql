-- Webhook endpoints, and the replays that were asked for. The state of deliveries has tables of its own.
alter table object_version drop constraint object_version_kind_known;
alter table object_version add constraint object_version_kind_known check (kind between 1 and 20);

create table webhook_endpoint (
    tenant_id uuid not null,
    livemode boolean not null,
    webhook_endpoint_id uuid not null,
    version integer not null,
    status text not null,
    deleted boolean not null,
    constraint webhook_endpoint_pkey primary key (tenant_id, livemode, webhook_endpoint_id),
    constraint webhook_endpoint_book_fkey foreign key (tenant_id, livemode) references book (tenant_id, livemode),
    constraint webhook_endpoint_version_from_one check (version >= 1),
    constraint webhook_endpoint_status_known check (status in ('enabled', 'disabled')),
    constraint webhook_endpoint_deleted_disabled check (not deleted or status = 'disabled')
);

-- What may be delivered to, of all tenants.
create index webhook_endpoint_enabled on webhook_endpoint (tenant_id, livemode, webhook_endpoint_id)
    where status = 'enabled';
create index webhook_endpoint_listed on webhook_endpoint (tenant_id, livemode, webhook_endpoint_id)
    where not deleted;

create trigger webhook_endpoint_kept
    before delete or truncate or update of tenant_id, livemode, webhook_endpoint_id on webhook_endpoint
    for each statement execute function refuse_removal();

create table webhook_replay (
    tenant_id uuid not null,
    livemode boolean not null,
    webhook_replay_id uuid not null,
    version integer not null,
    webhook_endpoint_id uuid not null,
    constraint webhook_replay_pkey primary key (tenant_id, livemode, webhook_replay_id),
    constraint webhook_replay_endpoint_fkey foreign key (tenant_id, livemode, webhook_endpoint_id)
        references webhook_endpoint (tenant_id, livemode, webhook_endpoint_id),
    constraint webhook_replay_version_from_one check (version >= 1)
);

create index webhook_replay_by_endpoint
    on webhook_replay (tenant_id, livemode, webhook_endpoint_id, webhook_replay_id);

create trigger webhook_replay_kept
    before delete or truncate
    or update of tenant_id, livemode, webhook_replay_id, webhook_endpoint_id on webhook_replay
    for each statement execute function refuse_removal();
