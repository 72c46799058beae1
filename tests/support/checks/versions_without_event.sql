-- Versions that no event tells of. A payment method (kind 2) that comes with a payment may be told of by the payment.
select written.tenant_id, written.object_id, written.version, written.sequence
from object_version as written
where not exists (
    select
    from event
    where event.tenant_id = written.tenant_id
        and event.livemode = written.livemode
        and (event.object_id = written.object_id and event.version = written.version
            or written.kind = 2 and event.sequence = written.sequence)
)
