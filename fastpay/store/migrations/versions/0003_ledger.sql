-- Clients' own accounts stand beside those that payments move, in the same table; what moves them has a table of
-- its own, which has to bear many more rows.

alter table object_version drop constraint object_version_kind_known;
alter table object_version add constraint object_version_kind_known check (kind between 1 and 7);

-- A client may give one code to many accounts. Those that payments move have identifiers that follow from their codes.
alter table account drop constraint account_code_unique;
create index account_by_code on account (tenant_id, livemode, code, account_id);

-- One transfer a row, found by its place in the tenant's sequence. Together with an account's last transfer on the
-- other side, a row tells all of the account's counters as they stood after it.
create table ledger_transfer (
    tenant_id uuid not null,
    livemode boolean not null,
    place smallint not null,
    phase smallint not null,
    sequence bigint not null,
    created_at timestamptz not null,
    amount bigint not null,
    debits_posted bigint not null,
    debits_pending bigint not null,
    credits_posted bigint not null,
    credits_pending bigint not null,
    debit_account_id uuid not null,
    credit_account_id uuid not null,
    currency text not null,
    expires_at timestamptz,
    hold_sequence bigint,
    hold_place smallint,
    metadata json,
    constraint ledger_transfer_pkey primary key (tenant_id, livemode, sequence, place),
    constraint ledger_transfer_sequence_from_one check (sequence >= 1),
    constraint ledger_transfer_place_from_zero check (place >= 0),
    constraint ledger_transfer_phase_known check (phase between 1 and 5),
    constraint ledger_transfer_amount_positive check (amount >= 1),
    constraint ledger_transfer_between_two_accounts check (debit_account_id <> credit_account_id),
    constraint ledger_transfer_counters_not_negative check (
        debits_posted >= 0 and debits_pending >= 0 and credits_posted >= 0 and credits_pending >= 0
    ),
    constraint ledger_transfer_ends_a_hold check (
        (hold_sequence is not null) = (phase >= 3) and (hold_place is not null) = (phase >= 3)
    ),
    constraint ledger_transfer_only_holds_expire check (expires_at is null or phase = 2)
);

create index ledger_transfer_by_debit_account
    on ledger_transfer (tenant_id, livemode, debit_account_id, sequence, place);
create index ledger_transfer_by_credit_account
    on ledger_transfer (tenant_id, livemode, credit_account_id, sequence, place);
-- A hold is posted, voided or expired once.
create unique index ledger_transfer_ends_hold_once
    on ledger_transfer (tenant_id, livemode, hold_sequence, hold_place) where hold_sequence is not null;

create trigger ledger_transfer_immutable before update or delete or truncate on ledger_transfer
    for each statement execute function refuse_change();

-- What a foreign key would check row by row, once a statement: both accounts are there, in the transfer's currency,
-- and what is ended is a hold between the same two.
create function ledger_transfer_refers() returns trigger language plpgsql as $body$
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
                and hold.place = written.hold_place
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
$body$;

create trigger ledger_transfer_refers after insert on ledger_transfer
    referencing new table as written for each statement execute function ledger_transfer_refers();
