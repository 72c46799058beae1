-- Accounts that payments move, as of a sequence number: later transfers are subtracted.
-- $1 uuid    tenant
-- $2 boolean mode
-- $3 uuid[]  accounts
-- $4 bigint  sequence
with later as (
    select
        transfer.debit_account_id, transfer.credit_account_id,
        case when transfer.phase in ('posted', 'post') then transfer.amount else 0 end as posted,
        case transfer.phase when 'hold' then transfer.amount when 'posted' then 0 else -hold.amount end as pending
    from transfer
    left join lateral (
        select amount
        from transfer as held
        where held.tenant_id = $1::uuid and held.livemode = $2::boolean and held.transfer_id = transfer.hold_id
        offset 0
    ) as hold on true
    where transfer.tenant_id = $1::uuid and transfer.livemode = $2::boolean and transfer.sequence > $4::bigint
        and (transfer.debit_account_id = any($3::uuid[]) or transfer.credit_account_id = any($3::uuid[]))
),
entry as (
    select debit_account_id as account_id, posted as debits_posted, 0 as credits_posted, pending as debits_pending,
        0 as credits_pending
    from later
    union all
    select credit_account_id, 0, posted, 0, pending
    from later
),
total as (
    select
        account_id, sum(debits_posted) as debits_posted, sum(credits_posted) as credits_posted,
        sum(debits_pending) as debits_pending, sum(credits_pending) as credits_pending
    from entry
    group by account_id
)
select
    account.account_id, account.code, account.currency, account.normal_side, account.min_balance,
    (account.debits_posted - coalesce(total.debits_posted, 0))::bigint as debits_posted,
    (account.credits_posted - coalesce(total.credits_posted, 0))::bigint as credits_posted,
    (account.debits_pending - coalesce(total.debits_pending, 0))::bigint as debits_pending,
    (account.credits_pending - coalesce(total.credits_pending, 0))::bigint as credits_pending
from account
left join total on total.account_id = account.account_id
where account.tenant_id = $1::uuid and account.livemode = $2::boolean and account.account_id = any($3::uuid[])
