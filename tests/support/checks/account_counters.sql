-- Accounts whose counters are not what their transfers add up to, by summing the transfers alone: those of payments
-- and those of clients.
with entry as (
    select
        transfer.tenant_id, transfer.livemode, side.account_id,
        case when transfer.phase in ('posted', 'post') then transfer.amount else 0 end as posted,
        case transfer.phase when 'posted' then 0 when 'hold' then transfer.amount else -held.amount end as pending,
        side.name
    from transfer
    left join transfer as held
        on held.tenant_id = transfer.tenant_id
        and held.livemode = transfer.livemode
        and held.transfer_id = transfer.hold_id
    cross join lateral (
        values ('debit', transfer.debit_account_id), ('credit', transfer.credit_account_id)
    ) as side (name, account_id)
    union all
    select
        moved.tenant_id, moved.livemode, side.account_id,
        case when moved.phase in (1, 3) then moved.amount else 0 end,
        case moved.phase when 1 then 0 when 2 then moved.amount else -held.amount end,
        side.name
    from ledger_transfer as moved
    left join ledger_transfer as held
        on held.tenant_id = moved.tenant_id
        and held.livemode = moved.livemode
        and held.sequence = moved.hold_sequence
        and held.place = moved.hold_place
    cross join lateral (
        values ('debit', moved.debit_account_id), ('credit', moved.credit_account_id)
    ) as side (name, account_id)
),
total as (
    select
        tenant_id, livemode, account_id,
        coalesce(sum(posted) filter (where name = 'debit'), 0) as debits_posted,
        coalesce(sum(posted) filter (where name = 'credit'), 0) as credits_posted,
        coalesce(sum(pending) filter (where name = 'debit'), 0) as debits_pending,
        coalesce(sum(pending) filter (where name = 'credit'), 0) as credits_pending
    from entry
    group by tenant_id, livemode, account_id
)
select
    coalesce(account.account_id, total.account_id) as account_id, account.code, account.currency,
    account.debits_posted, total.debits_posted as debits_moved,
    account.credits_posted, total.credits_posted as credits_moved,
    account.debits_pending, total.debits_pending as debits_held,
    account.credits_pending, total.credits_pending as credits_held
from account
full join total using (tenant_id, livemode, account_id)
where account.account_id is null
    or account.debits_posted <> coalesce(total.debits_posted, 0)
    or account.credits_posted <> coalesce(total.credits_posted, 0)
    or account.debits_pending <> coalesce(total.debits_pending, 0)
    or account.credits_pending <> coalesce(total.credits_pending, 0)
