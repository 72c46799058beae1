-- A payment that is captured in parts has received money while the rest is still authorized.
alter table payment_intent
    drop constraint payment_intent_received_when_succeeded,
    add constraint payment_intent_received_when_captured check (
        case status
            when 'succeeded' then amount_received > 0
            when 'requires_capture' then true
            else amount_received = 0
        end
    ),
    add constraint payment_intent_parts_within_amount check (
        status <> 'requires_capture' or amount_received = 0 or amount_capturable + amount_received <= amount
    );
