-- Faults in the accounts of clients and in the transfers between them.
-- $1 uuid    tenant
-- $2 boolean mode
with own as (
    select *
    from ledger_transfer
    where tenant_id = $1::uuid and livemode = $2::boolean
),
last_debit as (
    select distinct on (debit_account_id) debit_account_id as account_id, debits_posted, debits_pending
    from own
    order by debit_account_id, sequence desc, position desc
),
last_credit as (
    select distinct on (credit_account_id) credit_account_id as account_id, credits_posted, credits_pending
    from own
    order by credit_account_id, sequence desc, position desc
),
ended as (
    select hold_sequence as sequence, hold_position as position, count(*) as times, sum(amount) as amount, max(phase) as phase
    from own
    where hold_sequence is not null
    group by hold_sequence, hold_position
),
outstanding as (
    select hold.sequence, hold.position, hold.expires_at
    from own as hold
    left join ended using (sequence, position)
    where hold.phase = 2 and ended.sequence is null
),
due as (
    select sequence, position, expires_at
    from ledger_expiry
    where tenant_id = $1::uuid and livemode = $2::boolean
),
event_of as (
    select sequence, count(*) as events
    from event
    where tenant_id = $1::uuid and livemode = $2::boolean and type like 'ledger.%'
    group by sequence
)
select
    'The counters of lacc_' || replace(account.account_id::text, '-', '') || ' differ from those of its last transfers.'
        as problem
from account
left join last_debit on last_debit.account_id = account.account_id
left join last_credit on last_credit.account_id = account.account_id
where account.tenant_id = $1::uuid and account.livemode = $2::boolean
    and (last_debit.account_id is not null or last_credit.account_id is not null)
    and (account.debits_posted, account.debits_pending, account.credits_posted, account.credits_pending)
        is distinct from (
            coalesce(last_debit.debits_posted, 0), coalesce(last_debit.debits_pending, 0),
            coalesce(last_credit.credits_posted, 0), coalesce(last_credit.credits_pending, 0)
        )
union all
select 'The account lacc_' || replace(account_id::text, '-', '') || ' is below its min_balance.'
from account
where tenant_id = $1::uuid and livemode = $2::boolean
    and case normal_side
        when 'C' then credits_posted::numeric - debits_posted - debits_pending
        else debits_posted::numeric - credits_posted - credits_pending
    end < min_balance
union all
select
    'The hold at ' || sequence || '/' || position || ' was ended ' || ended.times || ' times, by ' || ended.amount
        || '.'
from ended
join own using (sequence, position)
where ended.times > 1 or ended.amount > own.amount or own.phase <> 2
union all
select 'The hold at ' || sequence || '/' || position || ' has no row with its expiry in ledger_expiry.'
from outstanding
left join due using (sequence, position)
where outstanding.expires_at is distinct from due.expires_at
union all
select 'The hold at ' || sequence || '/' || position || ' is in ledger_expiry, but it has ended.'
from due
left join outstanding using (sequence, position)
where outstanding.sequence is null
union all
select 'The transfers at ' || own.sequence || ' have ' || coalesce(max(event_of.events), 0) || ' events instead of 1.'
from own
left join event_of on event_of.sequence = own.sequence
group by own.sequence
having coalesce(max(event_of.events), 0) <> 1
limit 100
