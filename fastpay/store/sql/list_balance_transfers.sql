-- Transfers that changed the balance: captures and refunds that were posted, newest first. No index is led by kind or
-- currency, so that payments do not pay for one: what does not fit is read and left out.
-- $1 uuid    tenant
-- $2 boolean mode
-- $3 uuid    only below this transfer
-- $4 uuid    only above this transfer
-- $5 boolean nearest above first, instead of newest first
-- $6 integer rows at most
-- $7 text[]  kinds
-- $8 text    currency, null for all
select
    transfer_id, kind, phase, debit_account_id, credit_account_id, currency, amount, source_id, hold_id,
    (extract(epoch from created_at) * 1000)::bigint as moment_ms
from (
    (
        select transfer.*
        from transfer
        where not $5::boolean and tenant_id = $1::uuid and livemode = $2::boolean
            and transfer_id < $3::uuid and transfer_id > $4::uuid
            and kind = any($7::text[]) and phase in ('posted', 'post')
            and ($8::text is null or currency = $8::text)
        order by transfer_id desc
        limit $6::integer
    )
    union all
    (
        select transfer.*
        from transfer
        where $5::boolean and tenant_id = $1::uuid and livemode = $2::boolean
            and transfer_id < $3::uuid and transfer_id > $4::uuid
            and kind = any($7::text[]) and phase in ('posted', 'post')
            and ($8::text is null or currency = $8::text)
        order by transfer_id
        limit $6::integer
    )
) as page
order by transfer_id desc
