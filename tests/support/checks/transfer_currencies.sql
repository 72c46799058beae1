-- Transfers, of payments and of clients, between accounts that are not both there, in the transfer's own currency.
select moved.transfer, moved.currency, source.currency as debited, target.currency as credited
from (
    select tenant_id, livemode, transfer_id::text as transfer, currency, debit_account_id, credit_account_id
    from transfer
    union all
    select tenant_id, livemode, sequence || '/' || place, currency, debit_account_id, credit_account_id
    from ledger_transfer
) as moved
left join account as source
    on source.tenant_id = moved.tenant_id
    and source.livemode = moved.livemode
    and source.account_id = moved.debit_account_id
left join account as target
    on target.tenant_id = moved.tenant_id
    and target.livemode = moved.livemode
    and target.account_id = moved.credit_account_id
where (moved.currency, moved.currency) is distinct from (source.currency, target.currency)
