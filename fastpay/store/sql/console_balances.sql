-- The balances of both accounts after each of some transfers of payments: those of now, without what was moved since.
-- What lies between two of their sequence numbers is added up first, so that few rows are put in order. Nothing is
-- returned where more was moved than a bound.
-- $1 tenant_id uuid
-- $2 livemode boolean
-- $3 transfers uuid[]
-- $4 oldest uuid: no transfer that came after one of these has a smaller identifier
-- $5 limit bigint: of transfers from there on
with wanted as materialized (
    -- One by one: PostgreSQL before 17 may look at all transfers of the tenant instead of taking each from the index.
    select array_agg(distinct transfer.sequence order by transfer.sequence) as sequences
    from unnest($3::uuid[]) as asked (transfer_id)
    cross join lateral (
        select sequence
        from transfer
        where tenant_id = $1::uuid and livemode = $2::boolean and transfer.transfer_id = asked.transfer_id
        offset 0
    ) as transfer
),
since as (
    select
        transfer_id, sequence, debit_account_id, credit_account_id,
        case when phase in ('posted', 'post') then amount else 0 end as posted,
        -- Of the sequence numbers how many are not larger, and how many are smaller.
        width_bucket(sequence, (select sequences from wanted)) as reached,
        width_bucket(sequence - 1, (select sequences from wanted)) as passed
    from transfer
    where tenant_id = $1::uuid and livemode = $2::boolean and transfer_id >= $4::uuid
    order by transfer_id
    limit $5::bigint + 1
),
moved as materialized (
    select
        reached, case when reached > passed then transfer_id end as transfer_id, debit_account_id, credit_account_id,
        sum(posted) as posted, count(*) as transfers
    from since
    group by 1, 2, 3, 4
),
entry as (
    select reached, transfer_id, debit_account_id as account_id, true as is_debit, posted
    from moved
    union all
    select reached, transfer_id, credit_account_id, false, -posted
    from moved
),
running as (
    -- What has no identifier came after the transfers of the sequence number that it follows.
    select
        entry.*,
        sum(posted) over (
            partition by account_id order by reached desc, transfer_id desc nulls first
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
where running.transfer_id = any($3::uuid[]) and (select sum(transfers) from moved) <= $5::bigint
