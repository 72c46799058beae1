-- A capture may take up to a fifth more than was authorized, where the payment asked for that.
alter table charge
    drop constraint charge_captured_within_amount,
    add constraint charge_captured_within_overcapture check (amount_captured between 0 and amount + amount / 5);

alter table payment_intent
    drop constraint payment_intent_received_within_amount,
    add constraint payment_intent_received_within_overcapture
        check (amount_received between 0 and amount + amount / 5);
