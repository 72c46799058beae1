-- The balances of both accounts after each of some transfers of payments: those of now, without what was moved since.
-- Nothing is returned where that is more than a bound, since to add it up would take too long.
-- $1 tenant_id uuid
-- $2 livemode boolean
-- $3 transfers uuid[]
-- $4 oldest uuid: no transfer that came after one of these has a smaller identifier
-- $5 limit integer: of transfers from there on
with since as materialized (
    select
        transfer_id, sequence, debit_account_id, credit_account_id,
        case when phase in ('posted', 'post') then amount else 0 end as posted
    from transfer
    where tenant_id = $1::uuid and livemode = $2::boolean and transfer_id >= $4::uuid
    order by transfer_id
    limit $5::integer + 1
),
entry as (
    select transfer_id, sequence, debit_account_id as account_id, true as is_debit, posted
    from since
    union all
    select transfer_id, sequence, credit_account_id, false, -posted
    from since
),
running as (
    select
        entry.*,
        sum(posted) over (
            partition by account_id order by sequence desc, transfer_id desc
            rows between unbounded preceding and 1 preceding
        ) as later
    from entry
)
select
    running.transfer_id, running.is_debit,
    (case account.normal_side when 'D' then 1 else -1 end
        * (account.debits_posted - account.credits_posted - coalesce(running.later, 0)))::bigint as balance
from running
cross join lateral (
    select *
    from account
    where account.tenant_id = $1::uuid and account.livemode = $2::boolean and account.account_id = running.account_id
    offset 0
) as account
where running.transfer_id = any($3::uuid[]) and (select count(*) from since) <= $5::integer
