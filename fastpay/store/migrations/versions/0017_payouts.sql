-- When money becomes available, and payouts of it.
alter table object_version drop constraint object_version_kind_known;
alter table object_version add constraint object_version_kind_known check (kind between 1 and 12);

alter table transfer drop constraint transfer_kind_known;
alter table transfer add constraint transfer_kind_known check (kind in (
    'capture', 'fee', 'refund', 'available', 'release', 'payout', 'payout_paid', 'payout_cancel', 'payout_failure',
    'payout_return', 'payout_reversal'
));

alter table book
    -- How often the available balance is paid out.
    add column payout_interval text not null default 'manual',
    add constraint book_payout_interval_known
        check (payout_interval in ('manual', 'daily', 'weekly', 'monthly'));

alter table book drop column rules;
alter table book add column rules text generated always as (
    '[' || fee_basis_points::text || ',' || fee_fixed::text || ',' || refunds_may_overdraw::text
    || ',' || funds_delay_days::text || ',' || replace(amount_minimums::text, ' ', '')
    || ',"' || payout_interval || '"]'
) stored not null;

-- One row for each tenant and mode that ever had something available. Captures up to a transfer are released.
create table balance (
    tenant_id uuid not null,
    livemode boolean not null,
    balance_id uuid not null,
    version integer not null,
    released_through uuid not null,
    credited bigint not null,
    paid_out_day bigint not null,
    constraint balance_pkey primary key (tenant_id, livemode, balance_id),
    constraint balance_book_fkey foreign key (tenant_id, livemode) references book (tenant_id, livemode),
    constraint balance_version_from_one check (version >= 1),
    constraint balance_credited_not_negative check (credited >= 0)
);

create table payout (
    tenant_id uuid not null,
    livemode boolean not null,
    payout_id uuid not null,
    version integer not null,
    status text not null,
    due_at bigint,
    currency text not null,
    amount bigint not null,
    destination text,
    constraint payout_pkey primary key (tenant_id, livemode, payout_id),
    constraint payout_book_fkey foreign key (tenant_id, livemode) references book (tenant_id, livemode),
    constraint payout_version_from_one check (version >= 1),
    constraint payout_status_known check (status in ('pending', 'in_transit', 'paid', 'failed', 'canceled')),
    constraint payout_currency_form check (currency ~ '^[a-z]{3}$'),
    -- A reversal has a negative amount.
    constraint payout_amount_not_zero check (amount <> 0),
    constraint payout_due_while_open check ((due_at is not null) = (status in ('pending', 'in_transit')))
);

create index payout_by_status on payout (tenant_id, livemode, status, payout_id);
create index payout_by_destination on payout (tenant_id, livemode, destination, payout_id)
    where destination is not null;
-- Few payouts wait for a step.
create index payout_due on payout (due_at, tenant_id, livemode, payout_id) where due_at is not null;
