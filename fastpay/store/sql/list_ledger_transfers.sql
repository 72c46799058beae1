-- Transfers between accounts of clients, newest first.
-- $1 uuid     tenant
-- $2 boolean  mode
-- $3 bigint   only below this sequence number
-- $4 smallint and this index at it
-- $5 bigint   only above this sequence number
-- $6 smallint and this index at it
-- $7 boolean  nearest above first, instead of newest first
-- $8 integer  rows at most
select
    head.sequence, head.position, head.phase, head.debit_account_id, head.credit_account_id, head.currency, head.amount,
    head.debits_posted, head.debits_pending, head.credits_posted, head.credits_pending, head.hold_sequence,
    head.hold_position, head.metadata, (extract(epoch from head.created_at) * 1000)::bigint as moment_ms,
    extract(epoch from head.expires_at)::bigint as expires_at, ending.sequence as ending_sequence,
    ending.position as ending_position, ending.phase as ending_phase, ending.amount as ending_amount,
    (extract(epoch from ending.created_at) * 1000)::bigint as ending_ms,
    (extract(epoch from hold.created_at) * 1000)::bigint as hold_ms
from (
    (
        select *
        from ledger_transfer
        where not $7::boolean and tenant_id = $1::uuid and livemode = $2::boolean
            and (sequence, position) < ($3::bigint, $4::smallint)
            and (sequence, position) > ($5::bigint, $6::smallint)
        order by sequence desc, position desc
        limit $8::integer
    )
    union all
    (
        select *
        from ledger_transfer
        where $7::boolean and tenant_id = $1::uuid and livemode = $2::boolean
            and (sequence, position) < ($3::bigint, $4::smallint)
            and (sequence, position) > ($5::bigint, $6::smallint)
        order by sequence, position
        limit $8::integer
    )
) as head
left join lateral (
    select *
    from ledger_transfer
    where ledger_transfer.tenant_id = $1::uuid
        and ledger_transfer.livemode = $2::boolean
        and ledger_transfer.hold_sequence = head.sequence
        and ledger_transfer.hold_position = head.position
        and head.phase = 2
    offset 0
) as ending on true
left join lateral (
    select created_at
    from ledger_transfer
    where ledger_transfer.tenant_id = $1::uuid
        and ledger_transfer.livemode = $2::boolean
        and ledger_transfer.sequence = head.hold_sequence
        and ledger_transfer.position = head.hold_position
    offset 0
) as hold on true
order by head.sequence desc, head.position desc
