-- Attempts: orders to processors, and the money that is in doubt until their outcomes are known.
alter table object_version drop constraint object_version_kind_known;
-- The rows that are there met the narrower one, so they are not read.
alter table object_version add constraint object_version_kind_known check (kind between 1 and 25) not valid;

create table attempt (
    tenant_id uuid not null,
    livemode boolean not null,
    attempt_id uuid not null,
    version integer not null,
    status text not null,
    held bigint not null,
    due_at bigint,
    amount bigint not null,
    currency text not null,
    payment_intent_id uuid not null,
    constraint attempt_pkey primary key (tenant_id, livemode, attempt_id),
    constraint attempt_version_from_one check (version >= 1),
    constraint attempt_status_known check (
        status in ('open', 'approved', 'declined', 'refused', 'not_sent', 'not_found', 'review')
    ),
    constraint attempt_currency_form check (currency ~ '^[a-z]{3}$'),
    constraint attempt_amount_positive check (amount >= 1),
    -- What is in doubt is all of an attempt or nothing of it, and only an open one is looked at again.
    constraint attempt_held_while_open check (
        case status when 'open' then held = amount when 'review' then held in (0, amount) else held = 0 end
    ),
    constraint attempt_due_while_open check (due_at is null or status = 'open')
);

create index attempt_by_payment_intent on attempt (tenant_id, livemode, payment_intent_id, attempt_id);
create index attempt_due on attempt (due_at, tenant_id, livemode, attempt_id) where due_at is not null;
create index attempt_held on attempt (tenant_id, livemode, currency) where held > 0;

create trigger attempt_payment_intent_fkey after insert on attempt referencing new table as written
    for each statement execute function check_payment_intent('attempt_payment_intent_fkey');
create trigger attempt_kept
    before delete or truncate
    or update of tenant_id, livemode, attempt_id, amount, currency, payment_intent_id on attempt
    for each statement execute function refuse_removal();

-- One more kind of transfers. Nothing else in the function changes.
do $body$
declare
    changed record;
begin
    for changed in
        select
            replace(
                pg_get_functiondef(found.oid), '''cash_return_canceled''', '''cash_return_canceled'', ''in_doubt'''
            ) as after
        from pg_proc as found
        where found.pronamespace = current_schema()::regnamespace and found.proname = 'check_transfers'
    loop
        execute changed.after;
    end loop;
end
$body$;
