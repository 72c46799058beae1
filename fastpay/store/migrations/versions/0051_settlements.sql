-- Settlements: what processors say that they have paid out, and how it is reconciled with attempts.
alter table object_version drop constraint object_version_kind_known;
-- The rows that are there met the narrower one, so they are not read.
alter table object_version add constraint object_version_kind_known check (kind between 1 and 26) not valid;

-- An attempt that was written before has neither, and is found by our reference alone.
alter table attempt add column processor_id text, add column processor text;
create index attempt_by_processor_id on attempt (tenant_id, livemode, processor, processor_id)
    where processor_id is not null;

create table settlement (
    tenant_id uuid not null,
    livemode boolean not null,
    settlement_id uuid not null,
    version integer not null,
    status text not null,
    revision bigint not null,
    gross bigint not null,
    fee bigint not null,
    net bigint not null,
    ours bigint not null,
    accepted bigint not null,
    differences bigint not null,
    processor text not null,
    currency text not null,
    constraint settlement_pkey primary key (tenant_id, livemode, settlement_id),
    constraint settlement_book_fkey foreign key (tenant_id, livemode) references book (tenant_id, livemode),
    constraint settlement_version_from_one check (version >= 1),
    constraint settlement_status_known check (status in ('matching', 'open', 'closed')),
    constraint settlement_currency_form check (currency ~ '^[a-z]{3}$'),
    constraint settlement_differences_not_negative check (differences >= 0),
    constraint settlement_gross_is_fee_and_net check (gross = fee + net),
    constraint settlement_closed_at_zero_difference check (
        status <> 'closed' or (differences = 0 and gross = ours + accepted)
    )
);
create index settlement_by_processor on settlement (tenant_id, livemode, processor, settlement_id);

-- The files of a processor that were imported: each one once, with a settlement for each of its currencies.
create table settlement_file (
    tenant_id uuid not null,
    livemode boolean not null,
    processor text not null,
    digest bytea not null,
    currency text not null,
    settlement_id uuid not null,
    lag_days integer not null,
    imported_at timestamptz not null default clock_timestamp(),
    constraint settlement_file_pkey primary key (tenant_id, livemode, processor, digest, currency),
    constraint settlement_file_is_of_one_settlement unique (tenant_id, livemode, settlement_id),
    constraint settlement_file_book_fkey foreign key (tenant_id, livemode) references book (tenant_id, livemode)
);

-- A row without a line is in no file: a payment here that the file lacks.
create table settlement_row (
    tenant_id uuid not null,
    livemode boolean not null,
    settlement_id uuid not null,
    position integer not null,
    line integer,
    identity bytea,
    type text not null,
    reference text,
    processor_id text,
    gross bigint not null,
    fee bigint not null,
    net bigint not null,
    value_date date,
    status text not null default 'pending',
    ours bigint not null default 0,
    attempt_id uuid,
    accepted boolean not null default false,
    revision integer not null default 0,
    constraint settlement_row_pkey primary key (tenant_id, livemode, settlement_id, position),
    constraint settlement_row_settlement_fkey foreign key (tenant_id, livemode, settlement_id)
        references settlement_file (tenant_id, livemode, settlement_id),
    constraint settlement_row_type_known check (type in ('payment', 'refund', 'fee', 'other')),
    constraint settlement_row_status_known check (
        status in ('matched', 'amount_differs', 'missing_here', 'missing_there', 'duplicate', 'pending')
    ),
    constraint settlement_row_gross_is_fee_and_net check (gross = fee + net),
    constraint settlement_row_is_ours check (
        case status
            when 'matched' then gross = ours
            when 'amount_differs' then attempt_id is not null
            when 'missing_there' then attempt_id is not null and gross = 0
            else ours = 0
        end
    ),
    constraint settlement_row_of_a_file check ((line is null) = (identity is null))
);
-- Files that overlap have the same rows.
create unique index settlement_row_once on settlement_row (tenant_id, livemode, identity);
-- A payment is settled once, or written off once.
create unique index settlement_row_settles_once on settlement_row (tenant_id, livemode, attempt_id)
    where status in ('matched', 'amount_differs') or (status = 'missing_there' and accepted);
create index settlement_row_by_status on settlement_row (tenant_id, livemode, settlement_id, status, position);

create trigger settlement_kept
    before delete or truncate or update of tenant_id, livemode, settlement_id, processor, currency on settlement
    for each statement execute function refuse_removal();
create trigger settlement_file_immutable before delete or update or truncate on settlement_file
    for each statement execute function refuse_change();
create trigger settlement_row_kept
    before truncate or update of
        tenant_id, livemode, settlement_id, position, line, identity, type, reference, processor_id, gross, fee, net,
        value_date
    on settlement_row
    for each statement execute function refuse_removal();

-- More kinds of transfers. Nothing else in the function changes.
do $body$
declare
    changed record;
begin
    for changed in
        select
            replace(
                pg_get_functiondef(found.oid), '''in_doubt''',
                '''in_doubt'', ''settlement'', ''settlement_fee'', ''settlement_difference'''
            ) as after
        from pg_proc as found
        where found.pronamespace = current_schema()::regnamespace and found.proname = 'check_transfers'
    loop
        execute changed.after;
    end loop;
end
$body$;
