-- Events of rare types, for lists of them. It leads with the type, and has neither what almost every payment writes, so
-- that no payment pays for it, nor what clients never see.
create index event_by_type on event (type, tenant_id, livemode, sequence)
    where type <> all ('{charge.succeeded,payment_intent.created,payment_intent.succeeded}')
        and type <> all ('{payment_intent.updated,payment_method.created}')
        and type not like 'ledger.%';
