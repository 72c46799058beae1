-- The transfers of payments on one account, newest first, each with the account's counters after it. The counters
-- are summed from the first transfer on: an index by account would cost every payment something.
-- $1 uuid    tenant
-- $2 boolean mode
-- $3 uuid    account
-- $4 uuid    only before this transfer, null for no bound
-- $5 uuid    only after this transfer, null for no bound
-- $6 integer rows at most, the nearest after $5 where that is given
with entry as (
    select
        transfer.sequence, transfer.transfer_id, transfer.kind, transfer.source_id, transfer.phase,
        transfer.amount, transfer.created_at, transfer.debit_account_id = $3::uuid as is_debit,
        case when transfer.phase in ('posted', 'post') then transfer.amount else 0 end as posted,
        case transfer.phase when 'hold' then transfer.amount when 'posted' then 0 else -hold.amount end as pending
    from transfer
    left join lateral (
        select amount
        from transfer as held
        where held.tenant_id = $1::uuid and held.livemode = $2::boolean and held.transfer_id = transfer.hold_id
        offset 0
    ) as hold on true
    where transfer.tenant_id = $1::uuid and transfer.livemode = $2::boolean
        and (transfer.debit_account_id = $3::uuid or transfer.credit_account_id = $3::uuid)
),
running as (
    select
        entry.*, row_number() over told as number,
        coalesce(sum(posted) filter (where is_debit) over told, 0) as debits_posted,
        coalesce(sum(pending) filter (where is_debit) over told, 0) as debits_pending,
        coalesce(sum(posted) filter (where not is_debit) over told, 0) as credits_posted,
        coalesce(sum(pending) filter (where not is_debit) over told, 0) as credits_pending
    from entry
    window told as (order by sequence, transfer_id)
),
page as (
    select *
    from running
    where ($4::uuid is null or number < (select number from running where transfer_id = $4::uuid))
        and ($5::uuid is null or number > (select number from running where transfer_id = $5::uuid))
    order by case when $5::uuid is null then -number else number end
    limit $6::integer
)
select
    sequence, transfer_id, kind, source_id, phase, amount, is_debit,
    (extract(epoch from created_at) * 1000)::bigint as moment_ms, debits_posted, debits_pending, credits_posted,
    credits_pending
from page
order by number desc
