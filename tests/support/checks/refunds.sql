-- Refunds without exactly one transfer of their amount, and transfers of refunds that are not there.
select refund.refund_id, refund.amount, moved.source_id, moved.amount as moved, moved.transfers
from (select * from refund where status = 'succeeded') as refund
full join (
    select tenant_id, livemode, source_id, sum(amount) as amount, count(*) as transfers
    from transfer
    where kind = 'refund'
    group by tenant_id, livemode, source_id
) as moved
    on moved.tenant_id = refund.tenant_id
    and moved.livemode = refund.livemode
    and moved.source_id = refund.refund_id
where refund.amount is distinct from moved.amount or moved.transfers <> 1
