-- Holds ended more than once, by more than was held, or between other accounts.
select
    held.transfer_id, held.amount, count(ending.transfer_id) as endings, sum(ending.amount) as ended
from transfer as held
join transfer as ending
    on ending.tenant_id = held.tenant_id
    and ending.livemode = held.livemode
    and ending.hold_id = held.transfer_id
group by held.tenant_id, held.livemode, held.transfer_id, held.amount, held.phase, held.debit_account_id,
    held.credit_account_id
having count(*) > 1
    or sum(ending.amount) > held.amount
    or held.phase <> 'hold'
    or bool_or((ending.debit_account_id, ending.credit_account_id) <> (held.debit_account_id, held.credit_account_id))
