-- Transfers that an automatic payout may have paid out, and its own, newest first. Of captures and of what else
-- moved the pending account there may be too many: their charges tell.
-- $1 uuid    tenant
-- $2 boolean mode
-- $3 uuid    only below this transfer
-- $4 uuid    only above this transfer
-- $5 boolean nearest above first, instead of newest first
-- $6 integer rows at most
-- $7 text[]  kinds
-- $8 text    currency
-- $9 uuid    captures were released above this transfer,
-- $10 uuid   and through this one
-- $11 bigint others were written behind this number of the sequence,
-- $12 bigint and through this one
-- $13 uuid   the pending account
-- $14 uuid   the payout
select
    transfer_id, kind, phase, debit_account_id, credit_account_id, currency, amount, source_id, hold_id, sequence,
    (extract(epoch from created_at) * 1000)::bigint as moment_ms
from (
    (
        select transfer.*
        from transfer
        where not $5::boolean and tenant_id = $1::uuid and livemode = $2::boolean
            and transfer_id < $3::uuid and transfer_id > $4::uuid
            and kind = any($7::text[]) and phase in ('posted', 'post') and currency = $8::text
            and (
                sequence > $11::bigint and sequence <= $12::bigint
                or kind = 'capture' and transfer_id > $9::uuid and transfer_id <= $10::uuid
                or kind <> 'capture' and $13::uuid in (debit_account_id, credit_account_id)
                or kind = 'payout' and source_id = $14::uuid
            )
        order by transfer_id desc
        limit $6::integer
    )
    union all
    (
        select transfer.*
        from transfer
        where $5::boolean and tenant_id = $1::uuid and livemode = $2::boolean
            and transfer_id < $3::uuid and transfer_id > $4::uuid
            and kind = any($7::text[]) and phase in ('posted', 'post') and currency = $8::text
            and (
                sequence > $11::bigint and sequence <= $12::bigint
                or kind = 'capture' and transfer_id > $9::uuid and transfer_id <= $10::uuid
                or kind <> 'capture' and $13::uuid in (debit_account_id, credit_account_id)
                or kind = 'payout' and source_id = $14::uuid
            )
        order by transfer_id
        limit $6::integer
    )
) as page
order by transfer_id desc
