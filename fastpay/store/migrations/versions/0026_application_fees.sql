-- What a platform takes of payments that it passes on to connected accounts, and what it gives back of that.
alter table object_version drop constraint object_version_kind_known;
alter table object_version add constraint object_version_kind_known check (kind between 1 and 22);

alter table transfer drop constraint transfer_kind_known;
alter table transfer add constraint transfer_kind_known check (kind in (
    'capture', 'fee', 'refund', 'available', 'release', 'payout', 'payout_paid', 'payout_cancel', 'payout_failure',
    'payout_return', 'payout_reversal', 'transfer', 'transfer_reversal', 'refund_failure', 'dispute',
    'dispute_fee', 'dispute_fee_returned', 'dispute_lost', 'dispute_won', 'application_fee', 'application_fee_refund'
));

create table application_fee (
    tenant_id uuid not null,
    livemode boolean not null,
    application_fee_id uuid not null,
    version integer not null,
    amount_refunded bigint not null,
    currency text not null,
    amount bigint not null,
    account_id uuid not null,
    charge_id uuid not null,
    constraint application_fee_pkey primary key (tenant_id, livemode, application_fee_id),
    constraint application_fee_account_fkey foreign key (tenant_id, livemode, account_id)
        references connected_account (tenant_id, livemode, connected_account_id),
    constraint application_fee_version_from_one check (version >= 1),
    constraint application_fee_currency_form check (currency ~ '^[a-z]{3}$'),
    constraint application_fee_amount_positive check (amount >= 1),
    constraint application_fee_refunded_within_amount check (amount_refunded between 0 and amount)
);

create index application_fee_by_charge on application_fee (tenant_id, livemode, charge_id, application_fee_id);

create trigger application_fee_charge_fkey after insert on application_fee referencing new table as written
    for each statement execute function check_charge('application_fee_charge_fkey');
create trigger application_fee_kept
    before delete or truncate
    or update of tenant_id, livemode, application_fee_id, currency, amount, account_id, charge_id on application_fee
    for each statement execute function refuse_removal();

create table fee_refund (
    tenant_id uuid not null,
    livemode boolean not null,
    fee_refund_id uuid not null,
    version integer not null,
    currency text not null,
    amount bigint not null,
    application_fee_id uuid not null,
    constraint fee_refund_pkey primary key (tenant_id, livemode, fee_refund_id),
    constraint fee_refund_application_fee_fkey foreign key (tenant_id, livemode, application_fee_id)
        references application_fee (tenant_id, livemode, application_fee_id),
    constraint fee_refund_version_from_one check (version >= 1),
    constraint fee_refund_currency_form check (currency ~ '^[a-z]{3}$'),
    constraint fee_refund_amount_positive check (amount >= 1)
);

create index fee_refund_by_application_fee on fee_refund (tenant_id, livemode, application_fee_id, fee_refund_id);

create trigger fee_refund_kept
    before delete or truncate
    or update of tenant_id, livemode, fee_refund_id, currency, amount, application_fee_id on fee_refund
    for each statement execute function refuse_removal();
