-- Events of versions that were never written, or were written before the event.
select event.tenant_id, event.sequence, event.type, event.object_id, event.version, written.sequence as written_at
from event
left join object_version as written
    on written.tenant_id = event.tenant_id
    and written.livemode = event.livemode
    and written.object_id = event.object_id
    and written.version = event.version
where event.type not like 'ledger.transfer.%' and written.object_id is null or written.sequence < event.sequence
