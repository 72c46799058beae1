-- Renames columns only: no row is touched, and indexes, keys and checks follow. Processes of an older version cannot use
-- clients' transfers after this, which is accepted because none was released.
alter table ledger_transfer rename column place to position;
alter table ledger_transfer rename column hold_place to hold_position;
alter table ledger_transfer rename constraint ledger_transfer_place_from_zero to ledger_transfer_position_from_zero;
alter table ledger_expiry rename column place to position;

create or replace function ledger_transfer_refers() returns trigger language plpgsql as $$
begin
    if exists (
        select
        from (
            select tenant_id, livemode, debit_account_id as account_id, currency from written
            union
            select tenant_id, livemode, credit_account_id, currency from written
        ) as side
        left join lateral (
            select account.currency
            from account
            where account.tenant_id = side.tenant_id
                and account.livemode = side.livemode
                and account.account_id = side.account_id
            offset 0
        ) as account on true
        where account.currency is distinct from side.currency
    ) then
        raise exception 'a transfer between accounts that are not there in its currency'
            using errcode = 'foreign_key_violation', constraint = 'ledger_transfer_accounts_fkey';
    end if;
    if exists (
        select
        from written
        left join lateral (
            select hold.phase, hold.amount, hold.debit_account_id, hold.credit_account_id
            from ledger_transfer as hold
            where hold.tenant_id = written.tenant_id
                and hold.livemode = written.livemode
                and hold.sequence = written.hold_sequence
                and hold.position = written.hold_position
            offset 0
        ) as hold on true
        where written.hold_sequence is not null
            and (
                hold.phase is distinct from 2
                or hold.amount < written.amount
                or hold.debit_account_id <> written.debit_account_id
                or hold.credit_account_id <> written.credit_account_id
            )
    ) then
        raise exception 'a transfer that ends what is no hold of its accounts'
            using errcode = 'foreign_key_violation', constraint = 'ledger_transfer_hold_fkey';
    end if;
    return null;
end
$$;

create or replace function ledger_transfer_expires() returns trigger language plpgsql as $$
begin
    insert into ledger_expiry (tenant_id, livemode, sequence, position, expires_at)
    select tenant_id, livemode, sequence, position, expires_at
    from written
    where expires_at is not null;
    -- After the insert: what is made and ended in one statement is gone again.
    delete from ledger_expiry as due
    using written
    where written.hold_sequence is not null
        and due.tenant_id = written.tenant_id
        and due.livemode = written.livemode
        and due.sequence = written.hold_sequence
        and due.position = written.hold_position;
    return null;
end
$$;
