-- Everything that a tenant has: objects with their versions, the ledger, events and idempotency rows.
-- Every key contains the tenant and the mode, so that no row can refer to another tenant's.

create function refuse_change() returns trigger language plpgsql as $body$
begin
    raise exception 'rows of % are written once and never changed', tg_table_name
        using errcode = 'restrict_violation', constraint = tg_name;
end
$body$;

-- One immutable snapshot per version of an object. Answers, replays, lists and events are rendered from it.
create table object_version (
    tenant_id uuid not null,
    livemode boolean not null,
    object_id uuid not null,
    version integer not null,
    sequence bigint not null,
    kind smallint not null,
    snapshot bytea not null,
    constraint object_version_pkey primary key (tenant_id, livemode, object_id, version),
    constraint object_version_book_fkey foreign key (tenant_id, livemode) references book (tenant_id, livemode),
    constraint object_version_from_one check (version >= 1),
    constraint object_version_sequence_from_one check (sequence >= 1),
    constraint object_version_kind_known check (kind between 1 and 5)
);

create trigger object_version_immutable before update or delete or truncate on object_version
    for each statement execute function refuse_change();

create table customer (
    tenant_id uuid not null,
    livemode boolean not null,
    customer_id uuid not null,
    version integer not null,
    deleted boolean not null,
    email text,
    searchable jsonb not null,
    constraint customer_pkey primary key (tenant_id, livemode, customer_id),
    constraint customer_book_fkey foreign key (tenant_id, livemode) references book (tenant_id, livemode),
    constraint customer_version_from_one check (version >= 1)
);

create index customer_by_email on customer (tenant_id, livemode, email, customer_id) where not deleted;

create table payment_method (
    tenant_id uuid not null,
    livemode boolean not null,
    payment_method_id uuid not null,
    version integer not null,
    customer_id uuid,
    constraint payment_method_pkey primary key (tenant_id, livemode, payment_method_id),
    constraint payment_method_book_fkey foreign key (tenant_id, livemode) references book (tenant_id, livemode),
    constraint payment_method_customer_fkey foreign key (tenant_id, livemode, customer_id)
        references customer (tenant_id, livemode, customer_id),
    constraint payment_method_version_from_one check (version >= 1)
);

create index payment_method_by_customer on payment_method (tenant_id, livemode, customer_id, payment_method_id)
    where customer_id is not null;

create table payment_intent (
    tenant_id uuid not null,
    livemode boolean not null,
    payment_intent_id uuid not null,
    version integer not null,
    status text not null,
    currency text not null,
    amount bigint not null,
    amount_capturable bigint not null,
    amount_received bigint not null,
    customer_id uuid,
    constraint payment_intent_pkey primary key (tenant_id, livemode, payment_intent_id),
    constraint payment_intent_book_fkey foreign key (tenant_id, livemode) references book (tenant_id, livemode),
    constraint payment_intent_customer_fkey foreign key (tenant_id, livemode, customer_id)
        references customer (tenant_id, livemode, customer_id),
    constraint payment_intent_version_from_one check (version >= 1),
    constraint payment_intent_status_known check (status in (
        'requires_payment_method', 'requires_confirmation', 'requires_action', 'processing', 'requires_capture',
        'succeeded', 'canceled'
    )),
    constraint payment_intent_currency_form check (currency ~ '^[a-z]{3}$'),
    constraint payment_intent_amount_positive check (amount >= 1),
    constraint payment_intent_received_within_amount check (amount_received between 0 and amount),
    constraint payment_intent_capturable_within_amount check (amount_capturable between 0 and amount),
    constraint payment_intent_received_when_succeeded check ((amount_received > 0) = (status = 'succeeded')),
    constraint payment_intent_capturable_when_held check ((amount_capturable > 0) = (status = 'requires_capture'))
);

create index payment_intent_by_customer on payment_intent (tenant_id, livemode, customer_id, payment_intent_id)
    where customer_id is not null;

create table charge (
    tenant_id uuid not null,
    livemode boolean not null,
    charge_id uuid not null,
    version integer not null,
    status text not null,
    captured boolean not null,
    currency text not null,
    amount bigint not null,
    amount_captured bigint not null,
    amount_refunded bigint not null,
    fee bigint not null,
    payment_intent_id uuid not null,
    customer_id uuid,
    constraint charge_pkey primary key (tenant_id, livemode, charge_id),
    -- What refunds refer to.
    constraint charge_currency_unique unique (tenant_id, livemode, charge_id, currency),
    constraint charge_book_fkey foreign key (tenant_id, livemode) references book (tenant_id, livemode),
    constraint charge_payment_intent_fkey foreign key (tenant_id, livemode, payment_intent_id)
        references payment_intent (tenant_id, livemode, payment_intent_id),
    constraint charge_customer_fkey foreign key (tenant_id, livemode, customer_id)
        references customer (tenant_id, livemode, customer_id),
    constraint charge_version_from_one check (version >= 1),
    constraint charge_status_known check (status in ('succeeded', 'pending', 'failed')),
    constraint charge_currency_form check (currency ~ '^[a-z]{3}$'),
    constraint charge_amount_positive check (amount >= 1),
    constraint charge_captured_within_amount check (amount_captured between 0 and amount),
    constraint charge_refunded_within_captured check (amount_refunded between 0 and amount_captured),
    constraint charge_fee_within_captured check (fee between 0 and amount_captured),
    constraint charge_captured_has_amount check (captured = (amount_captured > 0)),
    constraint charge_captured_only_when_succeeded check (not captured or status = 'succeeded')
);

create index charge_by_payment_intent on charge (tenant_id, livemode, payment_intent_id, charge_id);
create index charge_by_customer on charge (tenant_id, livemode, customer_id, charge_id)
    where customer_id is not null;
-- A payment intent takes money once, whatever happens around it.
create unique index charge_succeeds_once on charge (tenant_id, livemode, payment_intent_id)
    where status = 'succeeded';

create table refund (
    tenant_id uuid not null,
    livemode boolean not null,
    refund_id uuid not null,
    version integer not null,
    status text not null,
    currency text not null,
    amount bigint not null,
    charge_id uuid not null,
    payment_intent_id uuid not null,
    constraint refund_pkey primary key (tenant_id, livemode, refund_id),
    constraint refund_book_fkey foreign key (tenant_id, livemode) references book (tenant_id, livemode),
    -- In the currency that the charge took, and no other.
    constraint refund_charge_fkey foreign key (tenant_id, livemode, charge_id, currency)
        references charge (tenant_id, livemode, charge_id, currency),
    constraint refund_payment_intent_fkey foreign key (tenant_id, livemode, payment_intent_id)
        references payment_intent (tenant_id, livemode, payment_intent_id),
    constraint refund_version_from_one check (version >= 1),
    constraint refund_status_known check (status in (
        'pending', 'requires_action', 'succeeded', 'failed', 'canceled'
    )),
    constraint refund_currency_form check (currency ~ '^[a-z]{3}$'),
    constraint refund_amount_positive check (amount >= 1)
);

create index refund_by_charge on refund (tenant_id, livemode, charge_id, refund_id);
create index refund_by_payment_intent on refund (tenant_id, livemode, payment_intent_id, refund_id);

create table account (
    tenant_id uuid not null,
    livemode boolean not null,
    account_id uuid not null,
    code text not null,
    currency text not null,
    normal_side text not null,
    debits_posted bigint not null,
    credits_posted bigint not null,
    debits_pending bigint not null,
    credits_pending bigint not null,
    min_balance bigint,
    constraint account_pkey primary key (tenant_id, livemode, account_id),
    constraint account_book_fkey foreign key (tenant_id, livemode) references book (tenant_id, livemode),
    constraint account_code_unique unique (tenant_id, livemode, currency, code),
    -- What transfers refer to, so that both their sides are in the transfer's own currency.
    constraint account_currency_unique unique (tenant_id, livemode, account_id, currency),
    constraint account_currency_form check (currency ~ '^[a-z]{3}$'),
    constraint account_normal_side_known check (normal_side in ('D', 'C')),
    constraint account_debits_posted_not_negative check (debits_posted >= 0),
    constraint account_credits_posted_not_negative check (credits_posted >= 0),
    constraint account_debits_pending_not_negative check (debits_pending >= 0),
    constraint account_credits_pending_not_negative check (credits_pending >= 0),
    constraint account_within_min_balance check (
        min_balance is null
        or normal_side = 'C' and credits_posted - debits_posted - debits_pending >= min_balance
        or normal_side = 'D' and debits_posted - credits_posted - credits_pending >= min_balance
    )
) with (fillfactor = 50);

create table transfer (
    tenant_id uuid not null,
    livemode boolean not null,
    transfer_id uuid not null,
    sequence bigint not null,
    kind text not null,
    phase text not null,
    debit_account_id uuid not null,
    credit_account_id uuid not null,
    currency text not null,
    amount bigint not null,
    source_id uuid not null,
    hold_id uuid,
    created_at timestamptz not null,
    constraint transfer_pkey primary key (tenant_id, livemode, transfer_id),
    constraint transfer_debit_account_fkey foreign key (tenant_id, livemode, debit_account_id, currency)
        references account (tenant_id, livemode, account_id, currency),
    constraint transfer_credit_account_fkey foreign key (tenant_id, livemode, credit_account_id, currency)
        references account (tenant_id, livemode, account_id, currency),
    constraint transfer_hold_fkey foreign key (tenant_id, livemode, hold_id)
        references transfer (tenant_id, livemode, transfer_id),
    constraint transfer_amount_positive check (amount >= 1),
    constraint transfer_between_two_accounts check (debit_account_id <> credit_account_id),
    constraint transfer_kind_known check (kind in ('capture', 'fee', 'refund', 'available')),
    constraint transfer_phase_known check (phase in ('posted', 'hold', 'post', 'void')),
    constraint transfer_ends_a_hold check ((hold_id is not null) = (phase in ('post', 'void'))),
    constraint transfer_sequence_from_one check (sequence >= 1)
);

-- A hold is posted or voided once.
create unique index transfer_ends_hold_once on transfer (tenant_id, livemode, hold_id) where hold_id is not null;

create trigger transfer_immutable before update or delete or truncate on transfer
    for each statement execute function refuse_change();

create table event (
    tenant_id uuid not null,
    livemode boolean not null,
    sequence bigint not null,
    event_id uuid not null,
    type text not null,
    object_id uuid not null,
    version integer not null,
    request_id text not null,
    created_at timestamptz not null,
    constraint event_pkey primary key (tenant_id, livemode, sequence),
    constraint event_book_fkey foreign key (tenant_id, livemode) references book (tenant_id, livemode),
    constraint event_sequence_from_one check (sequence >= 1),
    constraint event_version_from_one check (version >= 1)
);

create trigger event_immutable before update or delete or truncate on event
    for each statement execute function refuse_change();

-- The digest of tenant, mode and key comes first, so that only one plan is good on any amount of rows.
create table idempotency (
    digest bytea not null,
    tenant_id uuid not null,
    livemode boolean not null,
    idempotency_key text not null,
    fingerprint bytea not null,
    answer bytea not null,
    request_id text not null,
    created_at timestamptz not null,
    constraint idempotency_pkey primary key (digest, tenant_id, livemode),
    constraint idempotency_book_fkey foreign key (tenant_id, livemode) references book (tenant_id, livemode),
    constraint idempotency_digest_length check (octet_length(digest) = 16),
    constraint idempotency_key_length check (char_length(idempotency_key) between 1 and 255)
);

create index idempotency_by_age on idempotency using brin (created_at);
