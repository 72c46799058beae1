-- What a batch of thousands of transfers costs is mostly indexes and checks. Nothing here changes what is refused.

-- An identifier of an account names its tenant and mode, so an index by account needs neither: entries of 40 bytes
-- instead of 64, and one comparison instead of three between entries of one account. Statements compare tenant and mode
-- in the row.
drop index ledger_transfer_by_debit_account;
drop index ledger_transfer_by_credit_account;
-- No two entries are equal, so a full page is split at once, and not searched for duplicates before.
create index ledger_transfer_by_debit_account
    on ledger_transfer (debit_account_id, sequence, position) with (deduplicate_items = off);
create index ledger_transfer_by_credit_account
    on ledger_transfer (credit_account_id, sequence, position) with (deduplicate_items = off);

-- An account keeps its book and its currency: `account_kept` refuses an update of either. So both are checked when it is
-- opened. A foreign key would have a trigger of its own look at every row of every update.
create or replace function check_accounts_moved() returns trigger language plpgsql as $body$
declare
    found_fault text;
begin
    select fault
    into found_fault
    from (
        select case
            when tg_op = 'INSERT' and not currency ~ '^[a-z]{3}$' then 'account_currency_form'
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
            when tg_op = 'INSERT' and not exists (
                select
                from book
                where book.tenant_id = written.tenant_id
                    and book.livemode between written.livemode and written.livemode
                order by book.livemode desc
                offset 0
            ) then 'account_book_fkey'
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
alter table account drop constraint account_book_fkey;

-- The rows of a statement are read once for the checks of each row, and twice for its accounts. `ledger_expiry` is written
-- only if that has found something for it.
create or replace function check_ledger_transfers() returns trigger language plpgsql as $body$
declare
    fault text;
    expiring bigint;
    ending bigint;
begin
    select
        min(case
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
        end),
        count(expires_at), count(hold_sequence)
    into fault, expiring, ending
    from written;
    if fault is null then
        select 'ledger_transfer_accounts_fkey'
        into fault
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
                and account.account_id between side.account_id and side.account_id
            order by account.account_id desc
            limit 1
        )
        limit 1;
    end if;
    if fault is not null then
        perform refuse_row(fault, tg_table_name);
    end if;
    if expiring > 0 then
        insert into ledger_expiry (tenant_id, livemode, sequence, position, expires_at)
        select tenant_id, livemode, sequence, position, expires_at
        from written
        where expires_at is not null;
    end if;
    -- After the insert: what is made and ended in one statement is gone again.
    if ending > 0 then
        delete from ledger_expiry as due
        using written
        where written.hold_sequence is not null
            and due.tenant_id = written.tenant_id
            and due.livemode = written.livemode
            and due.sequence = written.hold_sequence
            and due.position = written.hold_position;
    end if;
    return null;
end
$body$;
drop trigger ledger_transfer_expires on ledger_transfer;
drop function ledger_transfer_expires();
