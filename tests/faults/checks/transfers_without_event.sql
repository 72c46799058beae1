-- Transfers of payments at a place in the sequence where nothing happened.
select transfer.transfer_id, transfer.kind, transfer.sequence
from transfer
where not exists (
    select
    from event
    where event.tenant_id = transfer.tenant_id
        and event.livemode = transfer.livemode
        and event.sequence = transfer.sequence
)
