-- Connected accounts, transfers to them, and what they give back.
alter table object_version drop constraint object_version_kind_known;
alter table object_version add constraint object_version_kind_known check (kind between 1 and 15);

alter table transfer drop constraint transfer_kind_known;
alter table transfer add constraint transfer_kind_known check (kind in (
    'capture', 'fee', 'refund', 'available', 'release', 'payout', 'payout_paid', 'payout_cancel', 'payout_failure',
    'payout_return', 'payout_reversal', 'transfer', 'transfer_reversal'
));

create table connected_account (
    tenant_id uuid not null,
    livemode boolean not null,
    connected_account_id uuid not null,
    version integer not null,
    country text not null,
    constraint connected_account_pkey primary key (tenant_id, livemode, connected_account_id),
    constraint connected_account_book_fkey foreign key (tenant_id, livemode) references book (tenant_id, livemode),
    constraint connected_account_version_from_one check (version >= 1)
);

create table account_transfer (
    tenant_id uuid not null,
    livemode boolean not null,
    account_transfer_id uuid not null,
    version integer not null,
    amount_reversed bigint not null,
    currency text not null,
    amount bigint not null,
    destination_id uuid not null,
    source_transaction_id uuid,
    transfer_group text,
    constraint account_transfer_pkey primary key (tenant_id, livemode, account_transfer_id),
    constraint account_transfer_destination_fkey foreign key (tenant_id, livemode, destination_id)
        references connected_account (tenant_id, livemode, connected_account_id),
    constraint account_transfer_version_from_one check (version >= 1),
    constraint account_transfer_currency_form check (currency ~ '^[a-z]{3}$'),
    constraint account_transfer_amount_positive check (amount >= 1),
    constraint account_transfer_reversed_within_amount check (amount_reversed between 0 and amount)
);

create index account_transfer_by_destination
    on account_transfer (tenant_id, livemode, destination_id, account_transfer_id);
create index account_transfer_by_group on account_transfer (tenant_id, livemode, transfer_group, account_transfer_id)
    where transfer_group is not null;

create table transfer_reversal (
    tenant_id uuid not null,
    livemode boolean not null,
    transfer_reversal_id uuid not null,
    version integer not null,
    currency text not null,
    amount bigint not null,
    transfer_id uuid not null,
    constraint transfer_reversal_pkey primary key (tenant_id, livemode, transfer_reversal_id),
    constraint transfer_reversal_transfer_fkey foreign key (tenant_id, livemode, transfer_id)
        references account_transfer (tenant_id, livemode, account_transfer_id),
    constraint transfer_reversal_version_from_one check (version >= 1),
    constraint transfer_reversal_currency_form check (currency ~ '^[a-z]{3}$'),
    constraint transfer_reversal_amount_positive check (amount >= 1)
);

create index transfer_reversal_by_transfer
    on transfer_reversal (tenant_id, livemode, transfer_id, transfer_reversal_id);
