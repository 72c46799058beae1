-- What searches look things up by. Filled behind the payments, never along with them: up to where in a tenant's
-- sequence it goes stands in search_progress, and what came after that is looked at one by one.
create table search_entry (
    tenant_id uuid not null,
    livemode boolean not null,
    kind smallint not null,
    object_id uuid not null,
    amount bigint,
    terms bigint[] not null,
    constraint search_entry_pkey primary key (tenant_id, livemode, kind, object_id)
);

-- A term contains tenant, mode and kind. The list of what is still to be sorted in stays short: searches read it.
create index search_entry_by_term on search_entry using gin (terms) with (gin_pending_list_limit = 256);
create index search_entry_by_amount on search_entry (tenant_id, livemode, kind, amount) where amount is not null;

create table search_progress (
    tenant_id uuid not null,
    livemode boolean not null,
    sequence bigint not null,
    constraint search_progress_pkey primary key (tenant_id, livemode),
    constraint search_progress_book_fkey foreign key (tenant_id, livemode) references book (tenant_id, livemode),
    constraint search_progress_sequence_not_negative check (sequence >= 0)
);

-- Searched no longer; what it held is in every customer's snapshot.
alter table customer drop column searchable;
