-- Transfers of payments by identifier.
-- $1 uuid    tenant
-- $2 boolean mode
-- $3 uuid[]  transfers
select
    transfer.transfer_id, transfer.kind, transfer.phase, transfer.debit_account_id, transfer.credit_account_id,
    transfer.currency, transfer.amount, transfer.source_id, transfer.hold_id,
    (extract(epoch from transfer.created_at) * 1000)::bigint as moment_ms
from unnest($3::uuid[]) as wanted (transfer_id)
cross join lateral (
    select *
    from transfer
    where transfer.tenant_id = $1::uuid
        and transfer.livemode = $2::boolean
        and transfer.transfer_id = wanted.transfer_id
    offset 0
) as transfer
