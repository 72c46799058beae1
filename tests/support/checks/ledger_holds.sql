-- Holds of clients ended more than once, by more than was held, or between other accounts; and ends of no hold.
select
    ending.tenant_id, ending.hold_sequence, ending.hold_place, held.amount, count(*) as endings,
    sum(ending.amount) as ended
from ledger_transfer as ending
left join ledger_transfer as held
    on held.tenant_id = ending.tenant_id
    and held.livemode = ending.livemode
    and held.sequence = ending.hold_sequence
    and held.place = ending.hold_place
where ending.phase > 2
group by ending.tenant_id, ending.livemode, ending.hold_sequence, ending.hold_place, held.amount, held.phase,
    held.debit_account_id, held.credit_account_id, held.currency
having held.amount is null
    or count(*) > 1
    or sum(ending.amount) > held.amount
    or held.phase <> 2
    or bool_or(
        (ending.debit_account_id, ending.credit_account_id, ending.currency)
        <> (held.debit_account_id, held.credit_account_id, held.currency)
    )
