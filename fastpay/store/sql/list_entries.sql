-- The transfers of clients on one account, newest first, each with the account's counters after it. The counters of
-- the transfer's own side are in its row, those of the other side in the last earlier row on that side. The
-- conditions are row comparisons that begin with the account: with one condition a column, the planner could choose
-- to filter the transfers of all accounts while there are few. All transfers of an account are of one tenant and mode,
-- which are compared after that.
-- $1 uuid     tenant
-- $2 boolean  mode
-- $3 uuid     account
-- $4 bigint   only below this sequence number
-- $5 smallint and this index at it
-- $6 bigint   only above this sequence number
-- $7 smallint and this index at it
-- $8 boolean  nearest above first, instead of newest first
-- $9 integer  rows at most
select
    entry.sequence, entry.position, entry.phase, entry.amount, entry.is_debit,
    (extract(epoch from entry.created_at) * 1000)::bigint as moment_ms,
    case when entry.is_debit then entry.posted else coalesce(other.posted, 0) end as debits_posted,
    case when entry.is_debit then entry.pending else coalesce(other.pending, 0) end as debits_pending,
    case when entry.is_debit then coalesce(other.posted, 0) else entry.posted end as credits_posted,
    case when entry.is_debit then coalesce(other.pending, 0) else entry.pending end as credits_pending
from (
    select *
    from (
        (
            select
                tenant_id, livemode, sequence, position, phase, amount, created_at, true as is_debit,
                debits_posted as posted, debits_pending as pending
            from ledger_transfer
            where not $8::boolean
                and (debit_account_id, sequence, position) < ($3::uuid, $4::bigint, $5::smallint)
                and (debit_account_id, sequence, position) > ($3::uuid, $6::bigint, $7::smallint)
            order by debit_account_id desc, sequence desc, position desc
            limit $9::integer
        )
        union all
        (
            select
                tenant_id, livemode, sequence, position, phase, amount, created_at, false, credits_posted,
                credits_pending
            from ledger_transfer
            where not $8::boolean
                and (credit_account_id, sequence, position) < ($3::uuid, $4::bigint, $5::smallint)
                and (credit_account_id, sequence, position) > ($3::uuid, $6::bigint, $7::smallint)
            order by credit_account_id desc, sequence desc, position desc
            limit $9::integer
        )
        union all
        (
            select
                tenant_id, livemode, sequence, position, phase, amount, created_at, true, debits_posted,
                debits_pending
            from ledger_transfer
            where $8::boolean
                and (debit_account_id, sequence, position) < ($3::uuid, $4::bigint, $5::smallint)
                and (debit_account_id, sequence, position) > ($3::uuid, $6::bigint, $7::smallint)
            order by debit_account_id, sequence, position
            limit $9::integer
        )
        union all
        (
            select
                tenant_id, livemode, sequence, position, phase, amount, created_at, false, credits_posted,
                credits_pending
            from ledger_transfer
            where $8::boolean
                and (credit_account_id, sequence, position) < ($3::uuid, $4::bigint, $5::smallint)
                and (credit_account_id, sequence, position) > ($3::uuid, $6::bigint, $7::smallint)
            order by credit_account_id, sequence, position
            limit $9::integer
        )
    ) as side
    where tenant_id = $1::uuid and livemode = $2::boolean
    order by
        case when $8::boolean then sequence else -sequence end, case when $8::boolean then position else -position end
    limit $9::integer
) as entry
left join lateral (
    (
        select tenant_id, livemode, credits_posted as posted, credits_pending as pending
        from ledger_transfer
        where entry.is_debit
            and (credit_account_id, sequence, position) < ($3::uuid, entry.sequence, entry.position)
            and credit_account_id >= $3::uuid
        order by credit_account_id desc, sequence desc, position desc
        limit 1
    )
    union all
    (
        select tenant_id, livemode, debits_posted, debits_pending
        from ledger_transfer
        where not entry.is_debit
            and (debit_account_id, sequence, position) < ($3::uuid, entry.sequence, entry.position)
            and debit_account_id >= $3::uuid
        order by debit_account_id desc, sequence desc, position desc
        limit 1
    )
) as other on other.tenant_id = $1::uuid and other.livemode = $2::boolean
order by entry.sequence desc, entry.position desc
