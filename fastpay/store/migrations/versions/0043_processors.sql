-- Who moves a tenant's money. A processor is disabled and never removed: payments name it.
create table processor (
    tenant_id uuid not null,
    livemode boolean not null,
    name text not null,
    processor_id uuid not null,
    kind text not null,
    url text not null,
    -- Both secrets, sealed together.
    sealed bytea not null,
    sealed_under text not null,
    enabled boolean not null default true,
    is_default boolean not null default false,
    created_at timestamptz not null default now(),
    constraint processor_pkey primary key (tenant_id, livemode, name),
    constraint processor_id_unique unique (processor_id),
    constraint processor_book_fkey foreign key (tenant_id, livemode) references book (tenant_id, livemode),
    constraint processor_name_form check (name ~ '^[a-z0-9][a-z0-9_-]{0,39}$'),
    constraint processor_kind_known check (kind in ('stripe', 'localstripe', 'http')),
    constraint processor_url_form check (url ~ '^https?://' and char_length(url) <= 2000),
    constraint processor_sealed_length check (octet_length(sealed) > 28),
    constraint processor_sealed_under_length check (char_length(sealed_under) = 16),
    constraint processor_default_enabled check (enabled or not is_default)
);

create unique index processor_default_once on processor (tenant_id, livemode) where is_default;

-- Webhooks of processors name nothing else.
create index processor_by_name on processor (name, processor_id);

create trigger processor_kept before delete or update of tenant_id, livemode, name, processor_id, kind or truncate
on processor
for each statement execute function refuse_removal();

-- The rules of a tenant in one mode, the first one first.
create table processor_routing (
    tenant_id uuid not null,
    livemode boolean not null,
    rules jsonb not null,
    constraint processor_routing_pkey primary key (tenant_id, livemode),
    constraint processor_routing_book_fkey foreign key (tenant_id, livemode)
        references book (tenant_id, livemode),
    constraint processor_routing_rules_shape check (jsonb_typeof(rules) = 'array')
);
