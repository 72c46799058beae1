-- Captures, voids and refunds are attempts, too. All attempts of before are authorizations.
alter table attempt
    add column operation text not null default 'authorize',
    add constraint attempt_operation_known check (operation in ('authorize', 'capture', 'void', 'refund')) not valid;

drop trigger attempt_kept on attempt;
create trigger attempt_kept
    before delete or truncate
    or update of tenant_id, livemode, attempt_id, amount, currency, payment_intent_id, operation on attempt
    for each statement execute function refuse_removal();
