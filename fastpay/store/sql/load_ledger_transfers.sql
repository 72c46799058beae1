-- Transfers of clients by sequence number and index. A hold comes with the transfer that ended it, up to a sequence
-- number.
-- $1 uuid[]     tenants
-- $2 boolean[]  modes
-- $3 bigint[]   sequences
-- $4 smallint[] indexes at them
-- $5 bigint     the last sequence number that counts
select
    wanted.tenant_id, wanted.livemode, found.sequence, found.position, found.phase, found.debit_account_id,
    found.credit_account_id, found.currency, found.amount, found.debits_posted, found.debits_pending,
    found.credits_posted, found.credits_pending, found.hold_sequence, found.hold_position,
    found.metadata, (extract(epoch from found.created_at) * 1000)::bigint as moment_ms,
    extract(epoch from found.expires_at)::bigint as expires_at, ending.sequence as ending_sequence,
    ending.position as ending_position, ending.phase as ending_phase, ending.amount as ending_amount,
    (extract(epoch from ending.created_at) * 1000)::bigint as ending_ms,
    (extract(epoch from hold.created_at) * 1000)::bigint as hold_ms
from unnest($1::uuid[], $2::boolean[], $3::bigint[], $4::smallint[]) as wanted (tenant_id, livemode, sequence, position)
cross join lateral (
    select *
    from ledger_transfer
    where ledger_transfer.tenant_id = wanted.tenant_id
        and ledger_transfer.livemode = wanted.livemode
        and ledger_transfer.sequence = wanted.sequence
        and ledger_transfer.position = wanted.position
        and ledger_transfer.sequence <= $5::bigint
    offset 0
) as found
left join lateral (
    select *
    from ledger_transfer
    where ledger_transfer.tenant_id = found.tenant_id
        and ledger_transfer.livemode = found.livemode
        and ledger_transfer.hold_sequence = found.sequence
        and ledger_transfer.hold_position = found.position
        and ledger_transfer.sequence <= $5::bigint
        and found.phase = 2
    offset 0
) as ending on true
left join lateral (
    select created_at
    from ledger_transfer
    where ledger_transfer.tenant_id = found.tenant_id
        and ledger_transfer.livemode = found.livemode
        and ledger_transfer.sequence = found.hold_sequence
        and ledger_transfer.position = found.hold_position
    offset 0
) as hold on true
