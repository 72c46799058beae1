-- The heads of notes.
alter table object_version drop constraint object_version_kind_known;
alter table object_version add constraint object_version_kind_known check (kind between 1 and 8);

create table note (
    tenant_id uuid not null,
    livemode boolean not null,
    note_id uuid not null,
    version integer not null,
    customer_id uuid not null,
    constraint note_pkey primary key (tenant_id, livemode, note_id),
    constraint note_book_fkey foreign key (tenant_id, livemode) references book (tenant_id, livemode),
    constraint note_customer_fkey foreign key (tenant_id, livemode, customer_id)
        references customer (tenant_id, livemode, customer_id),
    constraint note_version_from_one check (version >= 1)
);

create index note_by_customer on note (tenant_id, livemode, customer_id, note_id);
