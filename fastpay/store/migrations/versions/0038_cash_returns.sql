-- A refund may return what a customer transferred and no payment took. It has neither charge nor payment.
alter table refund
    alter column charge_id drop not null,
    alter column payment_intent_id drop not null,
    add constraint refund_of_a_payment_or_of_cash check ((charge_id is null) = (payment_intent_id is null));

alter table cash_transaction
    drop constraint cash_transaction_amount_by_type,
    add constraint cash_transaction_amount_by_type check (
        type in ('funded', 'unapplied_from_payment', 'refunded_from_payment', 'return_canceled') and net_amount > 0
        or type in ('applied_to_payment', 'return_initiated') and net_amount < 0
    );

alter table transfer drop constraint transfer_kind_known;
alter table transfer add constraint transfer_kind_known check (kind in (
    'capture', 'fee', 'refund', 'available', 'release', 'payout', 'payout_paid', 'payout_cancel', 'payout_failure',
    'payout_return', 'payout_reversal', 'transfer', 'transfer_reversal', 'refund_failure', 'dispute',
    'dispute_fee', 'dispute_fee_returned', 'dispute_lost', 'dispute_won', 'cash_funded', 'cash_applied',
    'cash_unapplied', 'cash_refunded', 'cash_paid', 'application_fee', 'application_fee_refund', 'cash_returned',
    'cash_return_canceled'
));

-- As they were, but for rows that name nothing. Where a column must not be null, its table says so.
create or replace function check_payment_intent() returns trigger language plpgsql as $body$
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
                offset 0
            )
    ) then
        perform refuse_reference(tg_argv[0], tg_table_name);
    end if;
    return null;
end
$body$;

create or replace function check_charge() returns trigger language plpgsql as $body$
begin
    if exists (
        select
        from written
        where charge_id is not null
            and written.currency is distinct from (
                select charge.currency
                from charge
                where charge.tenant_id = written.tenant_id
                    and charge.livemode = written.livemode
                    and charge.charge_id = written.charge_id
            )
    ) then
        perform refuse_reference(tg_argv[0], tg_table_name);
    end if;
    return null;
end
$body$;
