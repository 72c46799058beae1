-- Accounts whose counters differ from the sums of their transfers.
-- $1 uuid    tenant
-- $2 boolean mode
with own as (
    select
        transfer.debit_account_id, transfer.credit_account_id,
        case when transfer.phase in ('posted', 'post') then transfer.amount else 0 end as posted,
        case transfer.phase when 'hold' then transfer.amount when 'posted' then 0 else -hold.amount end as pending
    from transfer
    left join transfer as hold
        on hold.tenant_id = transfer.tenant_id
        and hold.livemode = transfer.livemode
        and hold.transfer_id = transfer.hold_id
    where transfer.tenant_id = $1::uuid and transfer.livemode = $2::boolean
    union all
    select
        moved.debit_account_id, moved.credit_account_id,
        case when moved.phase in (1, 3) then moved.amount else 0 end,
        case moved.phase when 2 then moved.amount when 1 then 0 else -hold.amount end
    from ledger_transfer as moved
    left join ledger_transfer as hold
        on hold.tenant_id = moved.tenant_id
        and hold.livemode = moved.livemode
        and hold.sequence = moved.hold_sequence
        and hold.position = moved.hold_position
    where moved.tenant_id = $1::uuid and moved.livemode = $2::boolean
),
entry as (
    select debit_account_id as account_id, posted as debits_posted, 0 as credits_posted, pending as debits_pending,
        0 as credits_pending
    from own
    union all
    select credit_account_id, 0, posted, 0, pending
    from own
),
total as (
    select
        account_id, sum(debits_posted) as debits_posted, sum(credits_posted) as credits_posted,
        sum(debits_pending) as debits_pending, sum(credits_pending) as credits_pending
    from entry
    group by account_id
)
select account.account_id, account.code, account.currency
from account
left join total on total.account_id = account.account_id
where account.tenant_id = $1::uuid
    and account.livemode = $2::boolean
    and (account.debits_posted, account.credits_posted, account.debits_pending, account.credits_pending)
        is distinct from (
            coalesce(total.debits_posted, 0), coalesce(total.credits_posted, 0),
            coalesce(total.debits_pending, 0), coalesce(total.credits_pending, 0)
        )
order by account.currency, account.code
limit 100
