-- A refund may return what a customer transferred and no payment took. It has neither charge nor payment.
alter table refund
    alter column charge_id drop not null,
    alter column payment_intent_id drop not null;

alter table cash_transaction
    drop constraint cash_transaction_amount_by_type,
    add constraint cash_transaction_amount_by_type check (
        type in ('funded', 'unapplied_from_payment', 'refunded_from_payment', 'return_canceled') and net_amount > 0
        or type in ('applied_to_payment', 'return_initiated') and net_amount < 0
    );

-- As they were, but for a refund that names nothing, and for two more kinds of transfers.
create or replace function check_refunds() returns trigger language plpgsql as $body$
declare
    found_fault text;
begin
    select fault
    into found_fault
    from (
        select case
            when not version >= 1 then 'refund_version_from_one'
            when not status in ('pending', 'requires_action', 'succeeded', 'failed', 'canceled')
                then 'refund_status_known'
            when not currency ~ '^[a-z]{3}$' then 'refund_currency_form'
            when not amount >= 1 then 'refund_amount_positive'
            when (charge_id is null) <> (payment_intent_id is null) then 'refund_of_a_payment_or_of_cash'
            when tg_op = 'INSERT' and charge_id is not null and not exists (
                select
                from charge
                where charge.tenant_id = written.tenant_id
                    and charge.livemode = written.livemode
                    and charge.charge_id = written.charge_id
                    and charge.currency = written.currency
                offset 0
            ) then 'refund_charge_fkey'
            when tg_op = 'INSERT' and charge_id is not null and not exists (
                select
                from payment_intent
                where payment_intent.tenant_id = written.tenant_id
                    and payment_intent.livemode = written.livemode
                    and payment_intent.payment_intent_id = written.payment_intent_id
                offset 0
            ) then 'refund_payment_intent_fkey'
        end as fault
        from written
        offset 0
    ) as found
    where fault is not null;
    if found then
        perform refuse_row(found_fault, tg_table_name);
    end if;
    return null;
end
$body$;

create or replace function check_transfers() returns trigger language plpgsql as $body$
declare
    fault text;
begin
    select coalesce(
        (
            select min(case
                when not kind in (
                    'capture', 'fee', 'refund', 'available', 'release', 'payout', 'payout_paid', 'payout_cancel',
                    'payout_failure', 'payout_return', 'payout_reversal', 'transfer', 'transfer_reversal',
                    'refund_failure', 'dispute', 'dispute_fee', 'dispute_fee_returned', 'dispute_lost', 'dispute_won',
                    'cash_funded', 'cash_applied', 'cash_unapplied', 'cash_refunded', 'cash_paid', 'application_fee',
                    'application_fee_refund', 'cash_returned', 'cash_return_canceled'
                ) then 'transfer_kind_known'
                when not phase in ('posted', 'hold', 'post', 'void') then 'transfer_phase_known'
                when not sequence >= 1 then 'transfer_sequence_from_one'
                when not amount >= 1 then 'transfer_amount_positive'
                when not debit_account_id <> credit_account_id then 'transfer_between_two_accounts'
                when not (hold_id is not null) = (phase in ('post', 'void')) then 'transfer_ends_a_hold'
                when hold_id is not null and not exists (
                    select
                    from transfer
                    where transfer.tenant_id = written.tenant_id
                        and transfer.livemode = written.livemode
                        and transfer.transfer_id = written.hold_id
                    offset 0
                ) then 'transfer_hold_fkey'
            end)
            from written
        ),
        (
            select moved.reference
            from (
                select
                    'transfer_debit_account_fkey' as reference, tenant_id, livemode, debit_account_id as account_id,
                    currency
                from written
                union
                select 'transfer_credit_account_fkey', tenant_id, livemode, credit_account_id, currency from written
            ) as moved
            where moved.currency is distinct from (
                select account.currency
                from account
                where account.tenant_id = moved.tenant_id
                    and account.livemode = moved.livemode
                    and account.account_id = moved.account_id
            )
            limit 1
        )
    )
    into fault;
    if fault is not null then
        perform refuse_row(fault, tg_table_name);
    end if;
    return null;
end
$body$;
