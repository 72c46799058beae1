-- Disputes, refunds that succeed or fail some time after they are made, and what a dispute costs.

alter table object_version drop constraint object_version_kind_known;
alter table object_version add constraint object_version_kind_known check (kind between 1 and 18);

alter table transfer drop constraint transfer_kind_known;
alter table transfer add constraint transfer_kind_known check (kind in (
    'capture', 'fee', 'refund', 'available', 'release', 'payout', 'payout_paid', 'payout_cancel', 'payout_failure',
    'payout_return', 'payout_reversal', 'transfer', 'transfer_reversal', 'refund_failure', 'dispute',
    'dispute_fee', 'dispute_fee_returned', 'dispute_lost', 'dispute_won'
));

-- The second since 1970 at which it changes by itself. Few wait for that, and only those are in the index.
alter table refund add column changes_at bigint;
create index refund_by_change on refund (changes_at, tenant_id, livemode, refund_id) where changes_at is not null;

create table dispute (
    tenant_id uuid not null,
    livemode boolean not null,
    dispute_id uuid not null,
    version integer not null,
    status text not null,
    amount bigint not null,
    fee bigint not null,
    changes_at bigint,
    currency text not null,
    charge_id uuid not null,
    payment_intent_id uuid not null,
    constraint dispute_pkey primary key (tenant_id, livemode, dispute_id),
    constraint dispute_version_from_one check (version >= 1),
    constraint dispute_status_known check (status in (
        'warning_needs_response', 'warning_under_review', 'warning_closed', 'needs_response', 'under_review', 'won',
        'lost'
    )),
    constraint dispute_currency_form check (currency ~ '^[a-z]{3}$'),
    constraint dispute_amount_positive check (amount >= 1),
    constraint dispute_fee_not_negative check (fee >= 0)
);

create index dispute_by_charge on dispute (charge_id, tenant_id, livemode, dispute_id);
create index dispute_by_payment_intent on dispute (payment_intent_id, tenant_id, livemode, dispute_id);
create index dispute_by_change on dispute (changes_at, tenant_id, livemode, dispute_id) where changes_at is not null;

create trigger dispute_charge_fkey after insert on dispute referencing new table as written
    for each statement execute function check_charge('dispute_charge_fkey');
create trigger dispute_payment_intent_fkey after insert on dispute referencing new table as written
    for each statement execute function check_payment_intent('dispute_payment_intent_fkey');
create trigger dispute_kept
    before delete or truncate
    or update of tenant_id, livemode, dispute_id, currency, charge_id, payment_intent_id on dispute
    for each statement execute function refuse_removal();

-- One more rule. A generated column cannot be changed, only made again.
alter table book drop column rules;
alter table book
    add column dispute_fee bigint not null default 0,
    add constraint book_dispute_fee_range check (dispute_fee between 0 and 99999999);
alter table book add column rules text generated always as (
    '[' || fee_basis_points::text || ',' || fee_fixed::text || ',' || refunds_may_overdraw::text
    || ',' || funds_delay_days::text || ',' || replace(amount_minimums::text, ' ', '')
    || ',"' || payout_interval || '",' || dispute_fee::text || ']'
) stored not null;
