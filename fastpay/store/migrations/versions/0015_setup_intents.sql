-- The heads of setup intents and of their attempts. Mandates have versions and no heads, since no list shows them.
alter table object_version drop constraint object_version_kind_known;
alter table object_version add constraint object_version_kind_known check (kind between 1 and 10);

create table setup_intent (
    tenant_id uuid not null,
    livemode boolean not null,
    setup_intent_id uuid not null,
    version integer not null,
    status text not null,
    payment_method_id uuid,
    customer_id uuid,
    constraint setup_intent_pkey primary key (tenant_id, livemode, setup_intent_id),
    constraint setup_intent_book_fkey foreign key (tenant_id, livemode) references book (tenant_id, livemode),
    constraint setup_intent_payment_method_fkey foreign key (tenant_id, livemode, payment_method_id)
        references payment_method (tenant_id, livemode, payment_method_id),
    constraint setup_intent_customer_fkey foreign key (tenant_id, livemode, customer_id)
        references customer (tenant_id, livemode, customer_id),
    constraint setup_intent_version_from_one check (version >= 1),
    constraint setup_intent_status_known check (status in (
        'requires_payment_method', 'requires_confirmation', 'requires_action', 'processing', 'succeeded', 'canceled'
    ))
);

create index setup_intent_by_payment_method
    on setup_intent (tenant_id, livemode, payment_method_id, setup_intent_id)
    where payment_method_id is not null;
create index setup_intent_by_customer on setup_intent (tenant_id, livemode, customer_id, setup_intent_id)
    where customer_id is not null;

create table setup_attempt (
    tenant_id uuid not null,
    livemode boolean not null,
    setup_attempt_id uuid not null,
    version integer not null,
    status text not null,
    setup_intent_id uuid not null,
    constraint setup_attempt_pkey primary key (tenant_id, livemode, setup_attempt_id),
    constraint setup_attempt_setup_intent_fkey foreign key (tenant_id, livemode, setup_intent_id)
        references setup_intent (tenant_id, livemode, setup_intent_id),
    constraint setup_attempt_version_from_one check (version >= 1),
    constraint setup_attempt_status_known check (status in (
        'requires_confirmation', 'requires_action', 'processing', 'succeeded', 'failed', 'abandoned'
    ))
);

create index setup_attempt_by_setup_intent on setup_attempt (tenant_id, livemode, setup_intent_id, setup_attempt_id);

create trigger setup_intent_kept
    before delete or truncate or update of tenant_id, livemode, setup_intent_id on setup_intent
    for each statement execute function refuse_removal();
create trigger setup_attempt_kept
    before delete or truncate or update of tenant_id, livemode, setup_attempt_id, setup_intent_id on setup_attempt
    for each statement execute function refuse_removal();
