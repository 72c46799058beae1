-- What every batch writes is checked once for each statement, by one query over all of its rows. PostgreSQL parses a
-- CHECK constraint anew for each statement that writes to its table: for a batch of one payment that was more than a
-- third of all that the database did, and two triggers for two references were two queries.
--
-- A function names what a row breaks as the constraint was named in whose place it stands, and refuses with its
-- SQLSTATE. `not (...)` is null for a null, which is no fault, as in a constraint. Rows that are there need no check:
-- they have met the same conditions. Dropping a constraint locks its table against everything, for a moment: no row is
-- read.

create function refuse_row(fault text, table_name text) returns void language plpgsql as $body$
begin
    raise exception 'a row of % breaks %', table_name, fault
        using errcode = case when fault like '%\_fkey' then 'foreign_key_violation' else 'check_violation' end,
            constraint = fault, table = table_name;
end
$body$;

-- `offset 0` keeps the planner from turning one look at an index a row into a plan that depends on statistics. What an
-- update cannot change (the triggers named _kept) is looked up for an insert only.

create function check_object_versions() returns trigger language plpgsql as $body$
declare
    found_fault text;
begin
    select coalesce(fault, 'object_version_book_fkey')
    into found_fault
    from (
        select
            tenant_id, livemode,
            min(case
                when not version >= 1 then 'object_version_from_one'
                when not sequence >= 1 then 'object_version_sequence_from_one'
            end) as fault
        from written
        group by tenant_id, livemode
    ) as scope
    where fault is not null or not exists (
        select from book where book.tenant_id = scope.tenant_id and book.livemode = scope.livemode offset 0
    );
    if found then
        perform refuse_row(found_fault, tg_table_name);
    end if;
    return null;
end
$body$;

alter table object_version
    drop constraint object_version_from_one,
    drop constraint object_version_sequence_from_one;
drop trigger object_version_book_fkey on object_version;
create trigger object_version_checks after insert on object_version referencing new table as written
    for each statement execute function check_object_versions();

create function check_events() returns trigger language plpgsql as $body$
declare
    found_fault text;
begin
    select coalesce(fault, 'event_book_fkey')
    into found_fault
    from (
        select
            tenant_id, livemode,
            min(case
                when not sequence >= 1 then 'event_sequence_from_one'
                when not version >= 1 then 'event_version_from_one'
            end) as fault
        from written
        group by tenant_id, livemode
    ) as scope
    where fault is not null or not exists (
        select from book where book.tenant_id = scope.tenant_id and book.livemode = scope.livemode offset 0
    );
    if found then
        perform refuse_row(found_fault, tg_table_name);
    end if;
    return null;
end
$body$;

alter table event
    drop constraint event_sequence_from_one,
    drop constraint event_version_from_one;
drop trigger event_book_fkey on event;
create trigger event_checks after insert on event referencing new table as written
    for each statement execute function check_events();

create function check_idempotency() returns trigger language plpgsql as $body$
declare
    found_fault text;
begin
    select coalesce(fault, 'idempotency_book_fkey')
    into found_fault
    from (
        select
            tenant_id, livemode,
            min(case
                when not octet_length(digest) = 16 then 'idempotency_digest_length'
                when not char_length(idempotency_key) between 1 and 255 then 'idempotency_key_length'
            end) as fault
        from written
        group by tenant_id, livemode
    ) as scope
    where fault is not null or not exists (
        select from book where book.tenant_id = scope.tenant_id and book.livemode = scope.livemode offset 0
    );
    if found then
        perform refuse_row(found_fault, tg_table_name);
    end if;
    return null;
end
$body$;

alter table idempotency
    drop constraint idempotency_digest_length,
    drop constraint idempotency_key_length;
drop trigger idempotency_book_fkey on idempotency;
create trigger idempotency_checks after insert on idempotency referencing new table as written
    for each statement execute function check_idempotency();

create function check_payment_methods() returns trigger language plpgsql as $body$
declare
    found_fault text;
begin
    select coalesce(fault, 'payment_method_book_fkey')
    into found_fault
    from (
        select
            tenant_id, livemode,
            min(case
                when not version >= 1 then 'payment_method_version_from_one'
                when customer_id is not null and not exists (
                    select
                    from customer
                    where customer.tenant_id = written.tenant_id
                        and customer.livemode = written.livemode
                        and customer.customer_id = written.customer_id
                    offset 0
                ) then 'payment_method_customer_fkey'
            end) as fault
        from written
        group by tenant_id, livemode
    ) as scope
    where fault is not null or tg_op = 'INSERT' and not exists (
        select from book where book.tenant_id = scope.tenant_id and book.livemode = scope.livemode offset 0
    );
    if found then
        perform refuse_row(found_fault, tg_table_name);
    end if;
    return null;
end
$body$;

alter table payment_method drop constraint payment_method_version_from_one;
drop trigger payment_method_book_fkey on payment_method;
drop trigger payment_method_customer_fkey on payment_method;
drop trigger payment_method_customer_fkey_update on payment_method;
create trigger payment_method_checks after insert on payment_method referencing new table as written
    for each statement execute function check_payment_methods();
create trigger payment_method_checks_update after update on payment_method referencing new table as written
    for each statement execute function check_payment_methods();

create function check_payment_intents() returns trigger language plpgsql as $body$
declare
    found_fault text;
begin
    select coalesce(fault, 'payment_intent_book_fkey')
    into found_fault
    from (
        select
            tenant_id, livemode,
            min(case
                when not version >= 1 then 'payment_intent_version_from_one'
                when not status in (
                    'requires_payment_method', 'requires_confirmation', 'requires_action', 'processing',
                    'requires_capture', 'succeeded', 'canceled'
                ) then 'payment_intent_status_known'
                when not currency ~ '^[a-z]{3}$' then 'payment_intent_currency_form'
                when not amount >= 1 then 'payment_intent_amount_positive'
                when not amount_received between 0 and amount + amount / 5
                    then 'payment_intent_received_within_overcapture'
                when not amount_capturable between 0 and amount then 'payment_intent_capturable_within_amount'
                when not case status
                    when 'succeeded' then amount_received > 0
                    when 'requires_capture' then true
                    else amount_received = 0
                end then 'payment_intent_received_when_captured'
                when not (amount_capturable > 0) = (status = 'requires_capture')
                    then 'payment_intent_capturable_when_held'
                when not (
                    status <> 'requires_capture' or amount_received = 0 or amount_capturable + amount_received <= amount
                ) then 'payment_intent_parts_within_amount'
                when customer_id is not null and not exists (
                    select
                    from customer
                    where customer.tenant_id = written.tenant_id
                        and customer.livemode = written.livemode
                        and customer.customer_id = written.customer_id
                    offset 0
                ) then 'payment_intent_customer_fkey'
            end) as fault
        from written
        group by tenant_id, livemode
    ) as scope
    where fault is not null or tg_op = 'INSERT' and not exists (
        select from book where book.tenant_id = scope.tenant_id and book.livemode = scope.livemode offset 0
    );
    if found then
        perform refuse_row(found_fault, tg_table_name);
    end if;
    return null;
end
$body$;

alter table payment_intent
    drop constraint payment_intent_version_from_one,
    drop constraint payment_intent_status_known,
    drop constraint payment_intent_currency_form,
    drop constraint payment_intent_amount_positive,
    drop constraint payment_intent_received_within_overcapture,
    drop constraint payment_intent_capturable_within_amount,
    drop constraint payment_intent_received_when_captured,
    drop constraint payment_intent_capturable_when_held,
    drop constraint payment_intent_parts_within_amount;
drop trigger payment_intent_book_fkey on payment_intent;
drop trigger payment_intent_customer_fkey on payment_intent;
drop trigger payment_intent_customer_fkey_update on payment_intent;
create trigger payment_intent_checks after insert on payment_intent referencing new table as written
    for each statement execute function check_payment_intents();
create trigger payment_intent_checks_update after update on payment_intent referencing new table as written
    for each statement execute function check_payment_intents();

create function check_charges() returns trigger language plpgsql as $body$
declare
    found_fault text;
begin
    select fault
    into found_fault
    from (
        select case
            when not version >= 1 then 'charge_version_from_one'
            when not status in ('succeeded', 'pending', 'failed') then 'charge_status_known'
            when not currency ~ '^[a-z]{3}$' then 'charge_currency_form'
            when not amount >= 1 then 'charge_amount_positive'
            when not amount_captured between 0 and amount + amount / 5 then 'charge_captured_within_overcapture'
            when not amount_refunded between 0 and amount_captured then 'charge_refunded_within_captured'
            when not fee between 0 and amount_captured then 'charge_fee_within_captured'
            when not captured = (amount_captured > 0) then 'charge_captured_has_amount'
            when captured and not status = 'succeeded' then 'charge_captured_only_when_succeeded'
            when tg_op = 'INSERT' and not exists (
                select
                from payment_intent
                where payment_intent.tenant_id = written.tenant_id
                    and payment_intent.livemode = written.livemode
                    and payment_intent.payment_intent_id = written.payment_intent_id
                offset 0
            ) then 'charge_payment_intent_fkey'
            when tg_op = 'INSERT' and customer_id is not null and not exists (
                select
                from customer
                where customer.tenant_id = written.tenant_id
                    and customer.livemode = written.livemode
                    and customer.customer_id = written.customer_id
                offset 0
            ) then 'charge_customer_fkey'
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

alter table charge
    drop constraint charge_version_from_one,
    drop constraint charge_status_known,
    drop constraint charge_currency_form,
    drop constraint charge_amount_positive,
    drop constraint charge_captured_within_overcapture,
    drop constraint charge_refunded_within_captured,
    drop constraint charge_fee_within_captured,
    drop constraint charge_captured_has_amount,
    drop constraint charge_captured_only_when_succeeded;
drop trigger charge_payment_intent_fkey on charge;
drop trigger charge_customer_fkey on charge;
create trigger charge_checks after insert on charge referencing new table as written
    for each statement execute function check_charges();
create trigger charge_checks_update after update on charge referencing new table as written
    for each statement execute function check_charges();

-- A refund is in the currency that its charge took, and no other.
create function check_refunds() returns trigger language plpgsql as $body$
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
            when tg_op = 'INSERT' and not exists (
                select
                from charge
                where charge.tenant_id = written.tenant_id
                    and charge.livemode = written.livemode
                    and charge.charge_id = written.charge_id
                    and charge.currency = written.currency
                offset 0
            ) then 'refund_charge_fkey'
            when tg_op = 'INSERT' and not exists (
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

alter table refund
    drop constraint refund_version_from_one,
    drop constraint refund_status_known,
    drop constraint refund_currency_form,
    drop constraint refund_amount_positive;
drop trigger refund_charge_fkey on refund;
drop trigger refund_payment_intent_fkey on refund;
create trigger refund_checks after insert on refund referencing new table as written
    for each statement execute function check_refunds();
create trigger refund_checks_update after update on refund referencing new table as written
    for each statement execute function check_refunds();

-- An account may be opened and moved by one statement (`on conflict do update`): its rows are among those of one of the
-- two triggers.
create function check_accounts_moved() returns trigger language plpgsql as $body$
declare
    found_fault text;
begin
    select fault
    into found_fault
    from (
        select case
            when not currency ~ '^[a-z]{3}$' then 'account_currency_form'
            when not normal_side in ('D', 'C') then 'account_normal_side_known'
            when not debits_posted >= 0 then 'account_debits_posted_not_negative'
            when not credits_posted >= 0 then 'account_credits_posted_not_negative'
            when not debits_pending >= 0 then 'account_debits_pending_not_negative'
            when not credits_pending >= 0 then 'account_credits_pending_not_negative'
            -- Without a minimum nothing is subtracted: counters may be as large as they get.
            when min_balance is not null and not case normal_side
                when 'C' then credits_posted - debits_posted - debits_pending
                else debits_posted - credits_posted - credits_pending
            end >= min_balance then 'account_within_min_balance'
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

alter table account
    drop constraint account_currency_form,
    drop constraint account_normal_side_known,
    drop constraint account_debits_posted_not_negative,
    drop constraint account_credits_posted_not_negative,
    drop constraint account_debits_pending_not_negative,
    drop constraint account_credits_pending_not_negative,
    drop constraint account_within_min_balance;
create trigger account_checks after insert on account referencing new table as written
    for each statement execute function check_accounts_moved();
create trigger account_checks_update after update on account referencing new table as written
    for each statement execute function check_accounts_moved();

-- Both sides are in the transfer's own currency. A batch has few accounts and many transfers.
create function check_transfers() returns trigger language plpgsql as $body$
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
                    'application_fee_refund'
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

alter table transfer
    drop constraint transfer_kind_known,
    drop constraint transfer_phase_known,
    drop constraint transfer_sequence_from_one,
    drop constraint transfer_amount_positive,
    drop constraint transfer_between_two_accounts,
    drop constraint transfer_ends_a_hold;
drop trigger transfer_account_fkey on transfer;
drop trigger transfer_hold_fkey on transfer;
create trigger transfer_checks after insert on transfer referencing new table as written
    for each statement execute function check_transfers();

create function check_ledger_transfers() returns trigger language plpgsql as $body$
declare
    fault text;
begin
    select coalesce(
        (
            select min(case
                when not sequence >= 1 then 'ledger_transfer_sequence_from_one'
                when not position >= 0 then 'ledger_transfer_position_from_zero'
                when not phase between 1 and 5 then 'ledger_transfer_phase_known'
                when not amount >= 1 then 'ledger_transfer_amount_positive'
                when not debit_account_id <> credit_account_id then 'ledger_transfer_between_two_accounts'
                when not (
                    debits_posted >= 0 and debits_pending >= 0 and credits_posted >= 0 and credits_pending >= 0
                ) then 'ledger_transfer_counters_not_negative'
                when not (
                    (hold_sequence is not null) = (phase >= 3) and (hold_position is not null) = (phase >= 3)
                ) then 'ledger_transfer_ends_a_hold'
                when expires_at is not null and not phase = 2 then 'ledger_transfer_only_holds_expire'
                -- What is ended is a hold between the same two accounts.
                when hold_sequence is not null and not exists (
                    select
                    from ledger_transfer as hold
                    where hold.tenant_id = written.tenant_id
                        and hold.livemode = written.livemode
                        and hold.sequence = written.hold_sequence
                        and hold.position = written.hold_position
                        and hold.phase = 2
                        and hold.amount >= written.amount
                        and hold.debit_account_id = written.debit_account_id
                        and hold.credit_account_id = written.credit_account_id
                    offset 0
                ) then 'ledger_transfer_hold_fkey'
            end)
            from written
        ),
        (
            select 'ledger_transfer_accounts_fkey'
            from (
                select tenant_id, livemode, debit_account_id as account_id, currency from written
                union
                select tenant_id, livemode, credit_account_id, currency from written
            ) as side
            where side.currency is distinct from (
                select account.currency
                from account
                where account.tenant_id = side.tenant_id
                    and account.livemode = side.livemode
                    and account.account_id = side.account_id
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

alter table ledger_transfer
    drop constraint ledger_transfer_sequence_from_one,
    drop constraint ledger_transfer_position_from_zero,
    drop constraint ledger_transfer_phase_known,
    drop constraint ledger_transfer_amount_positive,
    drop constraint ledger_transfer_between_two_accounts,
    drop constraint ledger_transfer_counters_not_negative,
    drop constraint ledger_transfer_ends_a_hold,
    drop constraint ledger_transfer_only_holds_expire;
drop trigger ledger_transfer_refers on ledger_transfer;
create trigger ledger_transfer_checks after insert on ledger_transfer referencing new table as written
    for each statement execute function check_ledger_transfers();

drop function check_accounts();
drop function check_hold();
drop function ledger_transfer_refers();

-- Every batch updates the sequence of its books, and no rule. PostgreSQL would parse the expression of a generated
-- column each time to see that. The trigger's rows are those whose rules change.

create function set_rules() returns trigger language plpgsql as $body$
declare
    fault text := case
        when not new.fee_basis_points between 0 and 10000 then 'book_fee_basis_points_range'
        when not new.fee_fixed between 0 and 99999999 then 'book_fee_fixed_range'
        when not new.dispute_fee between 0 and 99999999 then 'book_dispute_fee_range'
        when not new.funds_delay_days between 0 and 365 then 'book_funds_delay_days_range'
        when not new.payout_interval in ('manual', 'daily', 'weekly', 'monthly') then 'book_payout_interval_known'
        when not new.amount_minimums::text ~ '^\{("[a-z]{3}": [1-9][0-9]{0,7}(, )?)*\}$'
            then 'book_amount_minimums_shape'
    end;
begin
    if fault is not null then
        perform refuse_row(fault, tg_table_name);
    end if;
    -- One JSON array, in the order of the fields of `Rules`: read, and compared under the lock, as one value.
    new.rules := '[' || new.fee_basis_points::text || ',' || new.fee_fixed::text
        || ',' || new.refunds_may_overdraw::text || ',' || new.funds_delay_days::text
        || ',' || replace(new.amount_minimums::text, ' ', '')
        || ',"' || new.payout_interval || '",' || new.dispute_fee::text || ']';
    return new;
end
$body$;

alter table book
    alter column rules drop expression,
    drop constraint book_fee_basis_points_range,
    drop constraint book_fee_fixed_range,
    drop constraint book_dispute_fee_range,
    drop constraint book_funds_delay_days_range,
    drop constraint book_payout_interval_known,
    drop constraint book_amount_minimums_shape;
create trigger book_rules
    before insert or update of
        fee_basis_points, fee_fixed, refunds_may_overdraw, funds_delay_days, amount_minimums, payout_interval,
        dispute_fee, rules
    on book for each row execute function set_rules();
-- As a generated column is, the rules are written whoever writes the row.
alter table book enable always trigger book_rules;
