-- Charges that do not say what their transfers and refunds say.
select
    charge.charge_id, charge.amount, charge.amount_captured, charge.amount_refunded, charge.fee,
    coalesce(moved.captured, 0) as captured, coalesce(moved.fee, 0) as fee_taken, coalesce(given.amount, 0) as refunded
from charge
left join lateral (
    select
        sum(amount) filter (where kind = 'capture') as captured, sum(amount) filter (where kind = 'fee') as fee
    from transfer
    where tenant_id = charge.tenant_id
        and livemode = charge.livemode
        and source_id = charge.charge_id
        and phase in ('posted', 'post')
) as moved on true
left join lateral (
    select sum(amount) as amount
    from refund
    where tenant_id = charge.tenant_id
        and livemode = charge.livemode
        and charge_id = charge.charge_id
        and status = 'succeeded'
) as given on true
where charge.amount_captured <> coalesce(moved.captured, 0)
    or charge.fee <> coalesce(moved.fee, 0)
    or charge.amount_refunded <> coalesce(given.amount, 0)
    or charge.amount_refunded > charge.amount_captured
    or charge.amount_captured > charge.amount
