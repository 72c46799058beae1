-- Payment intents that did not receive what their charges captured, or hold what no charge holds.
select
    intent.payment_intent_id, intent.status, intent.amount_received, intent.amount_capturable,
    coalesce(taken.captured, 0) as captured, coalesce(taken.good, 0) as charges
from payment_intent as intent
left join (
    select
        tenant_id, livemode, payment_intent_id, sum(amount_captured) as captured,
        count(*) filter (where status = 'succeeded') as good
    from charge
    group by tenant_id, livemode, payment_intent_id
) as taken using (tenant_id, livemode, payment_intent_id)
where intent.amount_received <> coalesce(taken.captured, 0)
    or coalesce(taken.good, 0) > 1
    or intent.status in ('succeeded', 'requires_capture') and coalesce(taken.good, 0) <> 1
    or (intent.amount_received > 0) <> (intent.status = 'succeeded')
    or (intent.amount_capturable > 0) <> (intent.status = 'requires_capture')
