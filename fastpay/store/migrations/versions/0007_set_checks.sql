-- References are held by triggers that look at all rows of a statement at once. PostgreSQL's own foreign keys
-- run a query a row: for a payment fifteen, half of what the payment cost the database.
--
-- A foreign key also keeps what it refers to from going away. Nothing here ever goes away, and now nothing can:
-- rows that others refer to cannot be deleted and their keys cannot be changed (the triggers named _kept). So no
-- row needs to be locked against it. A trigger has the name of the
-- foreign key in whose place it stands, and refuses with its SQLSTATE and its name.

alter table object_version drop constraint object_version_book_fkey;
alter table customer drop constraint customer_book_fkey;
alter table payment_method
    drop constraint payment_method_book_fkey,
    drop constraint payment_method_customer_fkey;
alter table payment_intent
    drop constraint payment_intent_book_fkey,
    drop constraint payment_intent_customer_fkey;
-- A charge's book is its payment intent's, and a refund's is its charge's.
alter table charge
    drop constraint charge_book_fkey,
    drop constraint charge_payment_intent_fkey,
    drop constraint charge_customer_fkey;
alter table refund
    drop constraint refund_book_fkey,
    drop constraint refund_charge_fkey,
    drop constraint refund_payment_intent_fkey;
alter table transfer
    drop constraint transfer_debit_account_fkey,
    drop constraint transfer_credit_account_fkey,
    drop constraint transfer_hold_fkey;
alter table event drop constraint event_book_fkey;
alter table idempotency drop constraint idempotency_book_fkey;

-- They were there for foreign keys with a currency to refer to.
alter table charge drop constraint charge_currency_unique;
alter table account drop constraint account_currency_unique;

-- Nearly every charge succeeds, and charge_succeeds_once knows where those are.
drop index charge_by_payment_intent;
create index charge_unsuccessful_by_payment_intent on charge (tenant_id, livemode, payment_intent_id, charge_id)
    where status <> 'succeeded';

create function refuse_removal() returns trigger language plpgsql as $body$
begin
    raise exception 'rows of % are never removed, and what others know them by is never changed', tg_table_name
        using errcode = 'restrict_violation', constraint = tg_name, table = tg_table_name;
end
$body$;

create function refuse_reference(constraint_name text, table_name text) returns void language plpgsql as $body$
begin
    raise exception 'a row of % refers to a row that is not there', table_name
        using errcode = 'foreign_key_violation', constraint = constraint_name, table = table_name;
end
$body$;

-- In all of these `offset 0` keeps the planner from turning one look at an index a row into a join of tables, whose
-- way it would choose by statistics.

create function check_book() returns trigger language plpgsql as $body$
begin
    if exists (
        select
        from (select distinct tenant_id, livemode from written) as scope
        where not exists (
            select from book where book.tenant_id = scope.tenant_id and book.livemode = scope.livemode offset 0
        )
    ) then
        perform refuse_reference(tg_argv[0], tg_table_name);
    end if;
    return null;
end
$body$;

create function check_customer() returns trigger language plpgsql as $body$
begin
    -- Asked by itself first: most payments have no customer, and that takes half as long to see.
    if exists (select from written where customer_id is not null) and exists (
        select
        from written
        where customer_id is not null
            and not exists (
                select
                from customer
                where customer.tenant_id = written.tenant_id
                    and customer.livemode = written.livemode
                    and customer.customer_id = written.customer_id
                offset 0
            )
    ) then
        perform refuse_reference(tg_argv[0], tg_table_name);
    end if;
    return null;
end
$body$;

create function check_payment_intent() returns trigger language plpgsql as $body$
begin
    if exists (
        select
        from written
        where not exists (
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

-- In the currency that the charge took, and no other.
create function check_charge() returns trigger language plpgsql as $body$
begin
    if exists (
        select
        from written
        where written.currency is distinct from (
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

-- Both sides are in the transfer's own currency. A batch has few accounts and many transfers.
create function check_accounts() returns trigger language plpgsql as $body$
declare
    side text;
begin
    select moved.side
    into side
    from (
        select 'debit' as side, tenant_id, livemode, debit_account_id as account_id, currency from written
        union
        select 'credit', tenant_id, livemode, credit_account_id, currency from written
    ) as moved
    where moved.currency is distinct from (
        select account.currency
        from account
        where account.tenant_id = moved.tenant_id
            and account.livemode = moved.livemode
            and account.account_id = moved.account_id
    )
    limit 1;
    if found then
        perform refuse_reference(format('transfer_%s_account_fkey', side), tg_table_name);
    end if;
    return null;
end
$body$;

create function check_hold() returns trigger language plpgsql as $body$
begin
    if exists (select from written where hold_id is not null) and exists (
        select
        from written
        where hold_id is not null
            and not exists (
                select
                from transfer
                where transfer.tenant_id = written.tenant_id
                    and transfer.livemode = written.livemode
                    and transfer.transfer_id = written.hold_id
                offset 0
            )
    ) then
        perform refuse_reference(tg_argv[0], tg_table_name);
    end if;
    return null;
end
$body$;

create trigger object_version_book_fkey after insert on object_version referencing new table as written
    for each statement execute function check_book('object_version_book_fkey');

create trigger customer_book_fkey after insert on customer referencing new table as written
    for each statement execute function check_book('customer_book_fkey');

create trigger payment_method_book_fkey after insert on payment_method referencing new table as written
    for each statement execute function check_book('payment_method_book_fkey');
create trigger payment_method_customer_fkey after insert on payment_method referencing new table as written
    for each statement execute function check_customer('payment_method_customer_fkey');
create trigger payment_method_customer_fkey_update after update on payment_method referencing new table as written
    for each statement execute function check_customer('payment_method_customer_fkey');

create trigger payment_intent_book_fkey after insert on payment_intent referencing new table as written
    for each statement execute function check_book('payment_intent_book_fkey');
create trigger payment_intent_customer_fkey after insert on payment_intent referencing new table as written
    for each statement execute function check_customer('payment_intent_customer_fkey');
create trigger payment_intent_customer_fkey_update after update on payment_intent referencing new table as written
    for each statement execute function check_customer('payment_intent_customer_fkey');

create trigger charge_payment_intent_fkey after insert on charge referencing new table as written
    for each statement execute function check_payment_intent('charge_payment_intent_fkey');
create trigger charge_customer_fkey after insert on charge referencing new table as written
    for each statement execute function check_customer('charge_customer_fkey');

create trigger refund_charge_fkey after insert on refund referencing new table as written
    for each statement execute function check_charge('refund_charge_fkey');
create trigger refund_payment_intent_fkey after insert on refund referencing new table as written
    for each statement execute function check_payment_intent('refund_payment_intent_fkey');

-- Two constraints, transfer_debit_account_fkey and transfer_credit_account_fkey.
create trigger transfer_account_fkey after insert on transfer referencing new table as written
    for each statement execute function check_accounts();
create trigger transfer_hold_fkey after insert on transfer referencing new table as written
    for each statement execute function check_hold('transfer_hold_fkey');

create trigger event_book_fkey after insert on event referencing new table as written
    for each statement execute function check_book('event_book_fkey');

create trigger idempotency_book_fkey after insert on idempotency referencing new table as written
    for each statement execute function check_book('idempotency_book_fkey');

-- What an update could break is not among what an update may change.

create trigger book_kept before delete or truncate or update of tenant_id, livemode on book
    for each statement execute function refuse_removal();
create trigger customer_kept before delete or truncate or update of tenant_id, livemode, customer_id on customer
    for each statement execute function refuse_removal();
create trigger payment_method_kept
    before delete or truncate or update of tenant_id, livemode, payment_method_id on payment_method
    for each statement execute function refuse_removal();
create trigger payment_intent_kept
    before delete or truncate or update of tenant_id, livemode, payment_intent_id on payment_intent
    for each statement execute function refuse_removal();
create trigger charge_kept
    before delete or truncate
    or update of tenant_id, livemode, charge_id, currency, payment_intent_id, customer_id on charge
    for each statement execute function refuse_removal();
create trigger refund_kept
    before delete or truncate
    or update of tenant_id, livemode, refund_id, currency, charge_id, payment_intent_id on refund
    for each statement execute function refuse_removal();
create trigger account_kept before delete or truncate or update of tenant_id, livemode, account_id, currency on account
    for each statement execute function refuse_removal();
create trigger idempotency_kept before update on idempotency
    for each statement execute function refuse_change();
