-- For all tenants: what the ledger has moved for charges and refunds that were answered a moment ago.
-- $1 tenants uuid[], $2 modes boolean[], $3 lowest uuid[]: of each book, the transfers from here on
-- $4 sources uuid[]
select moved.source_id, moved.kind, moved.currency, moved.amount
from unnest($1::uuid[], $2::boolean[], $3::uuid[]) as book (tenant_id, livemode, lowest_id)
cross join lateral (
    select transfer.source_id, transfer.kind, transfer.currency, sum(transfer.amount)::bigint as amount
    from transfer
    where transfer.tenant_id = book.tenant_id
        and transfer.livemode = book.livemode
        and transfer.transfer_id >= book.lowest_id
        and transfer.source_id = any ($4::uuid[])
        and transfer.kind in ('capture', 'refund')
        and transfer.phase in ('posted', 'post')
    group by transfer.source_id, transfer.kind, transfer.currency
    offset 0
) as moved
