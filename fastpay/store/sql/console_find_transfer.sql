-- What a transfer of payments is for, and whose it is.
-- $1 transfer_id uuid
select book.tenant_id, book.livemode, found.kind, found.source_id
from book
cross join lateral (
    select kind, source_id
    from transfer
    where transfer.tenant_id = book.tenant_id
        and transfer.livemode = book.livemode
        and transfer.transfer_id = $1::uuid
    limit 1
) as found
limit 1
