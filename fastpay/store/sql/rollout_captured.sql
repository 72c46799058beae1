-- For all tenants: what the ledger has moved by these captures, for each charge.
-- $1 uuid[]    tenants
-- $2 boolean[] modes
-- $3 uuid[]    transfers
select found.source_id, found.currency, sum(found.amount)::bigint as amount
from unnest($1::uuid[], $2::boolean[], $3::uuid[]) as wanted (tenant_id, livemode, transfer_id)
cross join lateral (
    select transfer.source_id, transfer.currency, transfer.amount
    from transfer
    where transfer.tenant_id = wanted.tenant_id
        and transfer.livemode = wanted.livemode
        and transfer.transfer_id = wanted.transfer_id
        and transfer.kind = 'capture'
        and transfer.phase in ('posted', 'post')
    offset 0
) as found
group by found.source_id, found.currency
