-- Customers' cash: what moves it, and the payments that it pays.
alter table object_version drop constraint object_version_kind_known;
alter table object_version add constraint object_version_kind_known check (kind between 1 and 24);

alter table transfer drop constraint transfer_kind_known;
alter table transfer add constraint transfer_kind_known check (kind in (
    'capture', 'fee', 'refund', 'available', 'release', 'payout', 'payout_paid', 'payout_cancel', 'payout_failure',
    'payout_return', 'payout_reversal', 'transfer', 'transfer_reversal', 'refund_failure', 'dispute',
    'dispute_fee', 'dispute_fee_returned', 'dispute_lost', 'dispute_won', 'cash_funded', 'cash_applied',
    'cash_unapplied', 'cash_refunded', 'cash_paid', 'application_fee', 'application_fee_refund'
));

create table cash_transaction (
    tenant_id uuid not null,
    livemode boolean not null,
    cash_transaction_id uuid not null,
    version integer not null,
    type text not null,
    currency text not null,
    net_amount bigint not null,
    customer_id uuid not null,
    payment_intent_id uuid,
    refund_id uuid,
    constraint cash_transaction_pkey primary key (tenant_id, livemode, cash_transaction_id),
    constraint cash_transaction_version_from_one check (version >= 1),
    constraint cash_transaction_currency_form check (currency ~ '^[a-z]{3}$'),
    constraint cash_transaction_amount_by_type check (
        type in ('funded', 'unapplied_from_payment', 'refunded_from_payment') and net_amount > 0
        or type = 'applied_to_payment' and net_amount < 0
    )
);

create index cash_transaction_by_customer
    on cash_transaction (tenant_id, livemode, customer_id, cash_transaction_id);

-- Two constraints, cash_transaction_payment_intent_fkey and cash_transaction_refund_fkey.
create function check_cash_sources() returns trigger language plpgsql as $body$
begin
    if exists (
        select
        from written
        where payment_intent_id is not null
            and not exists (
                select
                from payment_intent
                where payment_intent.tenant_id = written.tenant_id
                    and payment_intent.livemode = written.livemode
                    and payment_intent.payment_intent_id = written.payment_intent_id
                    and payment_intent.currency = written.currency
                offset 0
            )
    ) then
        perform refuse_reference('cash_transaction_payment_intent_fkey', tg_table_name);
    end if;
    if exists (
        select
        from written
        where refund_id is not null
            and not exists (
                select
                from refund
                where refund.tenant_id = written.tenant_id
                    and refund.livemode = written.livemode
                    and refund.refund_id = written.refund_id
                    and refund.currency = written.currency
                offset 0
            )
    ) then
        perform refuse_reference('cash_transaction_refund_fkey', tg_table_name);
    end if;
    return null;
end
$body$;

create trigger cash_transaction_customer_fkey after insert on cash_transaction referencing new table as written
    for each statement execute function check_customer('cash_transaction_customer_fkey');
create trigger cash_transaction_sources after insert on cash_transaction referencing new table as written
    for each statement execute function check_cash_sources();
create trigger cash_transaction_kept
    before delete or truncate
    or update of
        tenant_id, livemode, cash_transaction_id, type, currency, net_amount, customer_id, payment_intent_id, refund_id
    on cash_transaction
    for each statement execute function refuse_removal();
