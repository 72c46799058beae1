-- Live setups are attempts, too: of a setup intent, and of no payment. They move nothing.
alter table attempt
    alter column payment_intent_id drop not null,
    add column setup_intent_id uuid,
    drop constraint attempt_operation_known,
    -- The rows that are there met narrower ones, so they are not read.
    add constraint attempt_operation_known check (
        operation in ('authorize', 'capture', 'void', 'refund', 'setup')
    ) not valid,
    drop constraint attempt_amount_positive,
    add constraint attempt_amount_positive check (
        case operation when 'setup' then amount = 0 else amount >= 1 end
    ) not valid,
    add constraint attempt_of_one_intent check (
        case operation
            when 'setup' then payment_intent_id is null and setup_intent_id is not null
            else payment_intent_id is not null and setup_intent_id is null
        end
    ) not valid,
    add constraint attempt_setup_intent_fkey foreign key (tenant_id, livemode, setup_intent_id)
        references setup_intent (tenant_id, livemode, setup_intent_id) not valid;

drop trigger attempt_kept on attempt;
create trigger attempt_kept
    before delete or truncate
    or update of tenant_id, livemode, attempt_id, amount, currency, payment_intent_id, setup_intent_id, operation
    on attempt
    for each statement execute function refuse_removal();

create or replace function check_payment_intent() returns trigger language plpgsql as $body$
begin
    if exists (
        select
        from written
        where written.payment_intent_id is not null and not exists (
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
