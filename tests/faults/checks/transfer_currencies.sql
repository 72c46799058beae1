-- Transfers between accounts that are not both there, in the transfer's own currency.
select transfer.transfer_id, transfer.currency, source.currency as debited, target.currency as credited
from transfer
left join account as source
    on source.tenant_id = transfer.tenant_id
    and source.livemode = transfer.livemode
    and source.account_id = transfer.debit_account_id
left join account as target
    on target.tenant_id = transfer.tenant_id
    and target.livemode = transfer.livemode
    and target.account_id = transfer.credit_account_id
where (transfer.currency, transfer.currency) is distinct from (source.currency, target.currency)
