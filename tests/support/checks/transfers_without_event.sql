-- Transfers, of payments and of clients, at a place in the sequence where nothing happened.
select moved.transfer, moved.kind, moved.sequence
from (
    select tenant_id, livemode, sequence, transfer_id::text as transfer, kind
    from transfer
    union all
    select tenant_id, livemode, sequence, sequence || '/' || place, 'ledger'
    from ledger_transfer
) as moved
where not exists (
    select
    from event
    where event.tenant_id = moved.tenant_id
        and event.livemode = moved.livemode
        and event.sequence = moved.sequence
        and (moved.kind <> 'ledger' or event.type like 'ledger.%')
)
