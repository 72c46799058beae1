-- Payments that differ from their transfers, with the amounts of both.
-- $1 uuid    tenant
-- $2 boolean mode
with moved as (
    select source_id, kind, sum(amount) as amount
    from transfer
    where tenant_id = $1::uuid and livemode = $2::boolean and phase in ('posted', 'post')
    group by source_id, kind
),
refunded as (
    select charge_id, sum(amount) as amount
    from refund
    where tenant_id = $1::uuid and livemode = $2::boolean and status = 'succeeded'
    group by charge_id
),
claim (object_id, prefix, field, stated, found) as (
    select charge.charge_id, 'ch', 'amount_captured', charge.amount_captured, coalesce(moved.amount, 0)
    from charge
    left join moved on moved.source_id = charge.charge_id and moved.kind = 'capture'
    where charge.tenant_id = $1::uuid and charge.livemode = $2::boolean
    union all
    select charge.charge_id, 'ch', 'fee', charge.fee, coalesce(moved.amount, 0)
    from charge
    left join moved on moved.source_id = charge.charge_id and moved.kind = 'fee'
    where charge.tenant_id = $1::uuid and charge.livemode = $2::boolean
    union all
    select charge.charge_id, 'ch', 'amount_refunded', charge.amount_refunded, coalesce(refunded.amount, 0)
    from charge
    left join refunded on refunded.charge_id = charge.charge_id
    where charge.tenant_id = $1::uuid and charge.livemode = $2::boolean
    union all
    select refund.refund_id, 're', 'amount', refund.amount, coalesce(moved.amount, 0)
    from refund
    left join moved on moved.source_id = refund.refund_id and moved.kind = 'refund'
    where refund.tenant_id = $1::uuid and refund.livemode = $2::boolean and refund.status = 'succeeded'
    union all
    select
        payment_intent.payment_intent_id, 'pi', 'amount_received', payment_intent.amount_received,
        coalesce(sum(charge.amount_captured), 0)
    from payment_intent
    left join charge
        on charge.tenant_id = payment_intent.tenant_id
        and charge.livemode = payment_intent.livemode
        and charge.payment_intent_id = payment_intent.payment_intent_id
    where payment_intent.tenant_id = $1::uuid and payment_intent.livemode = $2::boolean
    group by payment_intent.payment_intent_id, payment_intent.amount_received
)
select object_id, prefix, field, stated, found
from claim
where stated <> found
limit 100
