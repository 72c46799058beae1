-- Few payments are processing, and only those are looked at when time settles them. Payments by card never are.
create index payment_intent_processing on payment_intent (payment_intent_id, tenant_id, livemode)
    where status = 'processing';
