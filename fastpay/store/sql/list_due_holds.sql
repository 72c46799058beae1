-- Open holds of clients that have expired by the database's clock, of all tenants, oldest first.
-- $1 integer rows at most
select
    due.tenant_id, due.livemode, due.sequence, due.position,
    (extract(epoch from hold.created_at) * 1000)::bigint as moment_ms
from (
    select tenant_id, livemode, sequence, position, expires_at
    from ledger_expiry
    where expires_at <= now()
    order by expires_at, tenant_id, livemode, sequence, position
    limit $1::integer
) as due
cross join lateral (
    select created_at
    from ledger_transfer
    where ledger_transfer.tenant_id = due.tenant_id
        and ledger_transfer.livemode = due.livemode
        and ledger_transfer.sequence = due.sequence
        and ledger_transfer.position = due.position
    offset 0
) as hold
