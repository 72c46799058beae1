-- Payments that differ from their transfers, with the amounts of both.
-- $1 uuid    tenant
-- $2 boolean mode
with moved as (
    -- What was imported was captured and refunded elsewhere, and is in the books by transfers of its own kinds.
    select
        source_id,
        case kind when 'opening_charge' then 'capture' when 'opening_refund' then 'refund' else kind end as kind,
        sum(amount) as amount
    from transfer
    where tenant_id = $1::uuid and livemode = $2::boolean and phase in ('posted', 'post')
    group by 1, 2
),
refunded as (
    select charge_id, sum(amount) as amount
    from refund
    where tenant_id = $1::uuid and livemode = $2::boolean and status in ('succeeded', 'pending', 'requires_action')
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
    where refund.tenant_id = $1::uuid and refund.livemode = $2::boolean and refund.charge_id is not null
    union all
    select
        refund.refund_id, 're', 'an amount that came back of',
        case when refund.status in ('failed', 'canceled') then refund.amount else 0 end, coalesce(moved.amount, 0)
    from refund
    left join moved on moved.source_id = refund.refund_id and moved.kind = 'refund_failure'
    where refund.tenant_id = $1::uuid and refund.livemode = $2::boolean and refund.charge_id is not null
    union all
    select
        dispute.dispute_id, 'du', expected.field,
        case when dispute.status = any(expected.statuses) then expected.amount else 0 end, coalesce(moved.amount, 0)
    from dispute
    cross join lateral (
        values
            ('amount', 'dispute', dispute.amount, '{needs_response,under_review,won,lost}'::text[]),
            ('fee', 'dispute_fee', dispute.fee, '{needs_response,under_review,won,lost}'),
            ('an amount won of', 'dispute_won', dispute.amount, '{won}'),
            ('a fee returned of', 'dispute_fee_returned', dispute.fee, '{won}'),
            ('an amount lost of', 'dispute_lost', dispute.amount, '{lost}')
    ) as expected (field, kind, amount, statuses)
    left join moved on moved.source_id = dispute.dispute_id and moved.kind = expected.kind
    where dispute.tenant_id = $1::uuid and dispute.livemode = $2::boolean
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
    union all
    select
        payout.payout_id, 'po', flow.kind, case when flow.is_made then abs(payout.amount) else 0 end,
        coalesce(moved.amount, 0)
    from payout
    cross join lateral (
        values
            ('payout', payout.amount > 0),
            ('payout_paid', payout.amount > 0 and payout.status = 'paid'),
            ('payout_cancel', payout.status = 'canceled'),
            ('payout_failure', payout.status = 'failed'),
            ('payout_return', payout.amount < 0),
            ('payout_reversal', payout.amount < 0 and payout.status = 'paid')
    ) as flow (kind, is_made)
    left join moved on moved.source_id = payout.payout_id and moved.kind = flow.kind
    where payout.tenant_id = $1::uuid and payout.livemode = $2::boolean
    union all
    select
        account_transfer.account_transfer_id, 'tr', 'amount', account_transfer.amount, coalesce(moved.amount, 0)
    from account_transfer
    left join moved on moved.source_id = account_transfer.account_transfer_id and moved.kind = 'transfer'
    where account_transfer.tenant_id = $1::uuid and account_transfer.livemode = $2::boolean
    union all
    select
        account_transfer.account_transfer_id, 'tr', 'amount_reversed', account_transfer.amount_reversed,
        coalesce(reversed.amount, 0)
    from account_transfer
    left join (
        select transfer_reversal.transfer_id, sum(moved.amount) as amount
        from transfer_reversal
        join moved on moved.source_id = transfer_reversal.transfer_reversal_id and moved.kind = 'transfer_reversal'
        where transfer_reversal.tenant_id = $1::uuid and transfer_reversal.livemode = $2::boolean
        group by transfer_reversal.transfer_id
    ) as reversed on reversed.transfer_id = account_transfer.account_transfer_id
    where account_transfer.tenant_id = $1::uuid and account_transfer.livemode = $2::boolean
    union all
    select
        application_fee.application_fee_id, 'fee', 'amount', application_fee.amount, coalesce(moved.amount, 0)
    from application_fee
    left join moved on moved.source_id = application_fee.application_fee_id and moved.kind = 'application_fee'
    where application_fee.tenant_id = $1::uuid and application_fee.livemode = $2::boolean
    union all
    select
        application_fee.application_fee_id, 'fee', 'amount_refunded', application_fee.amount_refunded,
        coalesce(refunded.amount, 0)
    from application_fee
    left join (
        select fee_refund.application_fee_id, sum(moved.amount) as amount
        from fee_refund
        join moved on moved.source_id = fee_refund.fee_refund_id and moved.kind = 'application_fee_refund'
        where fee_refund.tenant_id = $1::uuid and fee_refund.livemode = $2::boolean
        group by fee_refund.application_fee_id
    ) as refunded on refunded.application_fee_id = application_fee.application_fee_id
    where application_fee.tenant_id = $1::uuid and application_fee.livemode = $2::boolean
    union all
    select
        cash_transaction.cash_transaction_id, 'ccsbtxn', 'amount', abs(cash_transaction.net_amount),
        coalesce(moved.amount, 0)
    from cash_transaction
    left join moved
        on moved.source_id = cash_transaction.cash_transaction_id
        and moved.kind = case cash_transaction.type
            when 'funded' then 'cash_funded'
            when 'applied_to_payment' then 'cash_applied'
            when 'unapplied_from_payment' then 'cash_unapplied'
            when 'refunded_from_payment' then 'cash_refunded'
            when 'return_initiated' then 'cash_returned'
            when 'return_canceled' then 'cash_return_canceled'
        end
    where cash_transaction.tenant_id = $1::uuid and cash_transaction.livemode = $2::boolean
    union all
    select
        refund.refund_id, 're', 'cash', refund.amount, cash_transaction.net_amount
    from cash_transaction
    join refund
        on refund.tenant_id = cash_transaction.tenant_id
        and refund.livemode = cash_transaction.livemode
        and refund.refund_id = cash_transaction.refund_id
    where cash_transaction.tenant_id = $1::uuid and cash_transaction.livemode = $2::boolean
        and cash_transaction.type = 'refunded_from_payment'
    union all
    -- Cash that was returned left the customer, and came back if the refund did not succeed.
    select refund.refund_id, 're', told.field, told.stated, told.found
    from refund
    left join (
        select
            refund_id, -sum(net_amount) filter (where type = 'return_initiated') as gone,
            sum(net_amount) filter (where type = 'return_canceled') as back
        from cash_transaction
        where tenant_id = $1::uuid and livemode = $2::boolean and refund_id is not null
        group by refund_id
    ) as cash on cash.refund_id = refund.refund_id
    cross join lateral (
        values
            ('cash returned', refund.amount, coalesce(cash.gone, 0)),
            (
                'cash that came back of',
                case when refund.status in ('failed', 'canceled') then refund.amount else 0 end,
                coalesce(cash.back, 0)
            )
    ) as told (field, stated, found)
    where refund.tenant_id = $1::uuid and refund.livemode = $2::boolean and refund.charge_id is null
    union all
    -- Cash that was applied to a payment paid all of it, or is there for the rest, or went back.
    select
        payment_intent.payment_intent_id, 'pi', 'cash applied',
        case payment_intent.status
            when 'succeeded' then payment_intent.amount_received
            when 'canceled' then 0
            when 'requires_action' then least(applied.amount, payment_intent.amount - 1)
            else 0
        end,
        applied.amount
    from payment_intent
    join (
        select payment_intent_id, -sum(net_amount) as amount
        from cash_transaction
        where tenant_id = $1::uuid and livemode = $2::boolean
            and type in ('applied_to_payment', 'unapplied_from_payment')
        group by payment_intent_id
    ) as applied on applied.payment_intent_id = payment_intent.payment_intent_id
    where payment_intent.tenant_id = $1::uuid and payment_intent.livemode = $2::boolean
    union all
    select
        payment_intent.payment_intent_id, 'pi', 'cash taken', coalesce(sum(charge.amount), 0), sum(moved.amount)
    from moved
    join charge
        on charge.tenant_id = $1::uuid and charge.livemode = $2::boolean and charge.charge_id = moved.source_id
    join payment_intent
        on payment_intent.tenant_id = charge.tenant_id
        and payment_intent.livemode = charge.livemode
        and payment_intent.payment_intent_id = charge.payment_intent_id
    where moved.kind = 'cash_paid'
    group by payment_intent.payment_intent_id
    union all
    -- What customers have is what their transactions add up to.
    select
        customer.customer_id, 'cus', 'cash in ' || cash.currency, cash.amount,
        coalesce(account.credits_posted - account.debits_posted, 0)
    from (
        select customer_id, currency, sum(net_amount)::bigint as amount
        from cash_transaction
        where tenant_id = $1::uuid and livemode = $2::boolean
        group by customer_id, currency
    ) as cash
    join customer
        on customer.tenant_id = $1::uuid and customer.livemode = $2::boolean
        and customer.customer_id = cash.customer_id
    left join account
        on account.tenant_id = $1::uuid and account.livemode = $2::boolean and account.currency = cash.currency
        and account.code = 'cus_' || replace(cash.customer_id::text, '-', '')
    union all
    -- What is on its way, has arrived or is disputed is what payouts and disputes say.
    select
        account.account_id, 'lacc', 'balance of ' || account.code, coalesce(held.amount, 0),
        account.credits_posted - account.debits_posted
    from account
    left join (
        select payout.currency, flow.code, sum(flow.amount)::bigint as amount
        from payout
        cross join lateral (
            values
                ('in_transit', case when payout.status in ('pending', 'in_transit') then abs(payout.amount) else 0 end),
                ('bank', case when payout.amount < 0 or payout.status = 'paid' then payout.amount else 0 end)
        ) as flow (code, amount)
        where payout.tenant_id = $1::uuid and payout.livemode = $2::boolean
        group by payout.currency, flow.code
        union all
        select currency, 'disputes', sum(amount)::bigint
        from dispute
        where tenant_id = $1::uuid and livemode = $2::boolean and status in ('needs_response', 'under_review')
        group by currency
    ) as held on held.currency = account.currency and held.code = account.code
    where account.tenant_id = $1::uuid and account.livemode = $2::boolean
        and account.code in ('in_transit', 'bank', 'disputes')
    union all
    -- What is in doubt is what attempts hold that have not ended: nothing is ever posted there. A live refund is
    -- pending as long as its attempt is.
    select
        account.account_id, 'lacc', doubt.field, doubt.stated, doubt.found
    from account
    left join (
        select
            currency, sum(held)::bigint as amount,
            (sum(held) filter (where operation = 'refund' and livemode))::bigint as refunds
        from attempt
        where tenant_id = $1::uuid and livemode = $2::boolean and held > 0
        group by currency
    ) as held on held.currency = account.currency
    left join (
        select currency, sum(amount)::bigint as amount
        from refund
        where tenant_id = $1::uuid and livemode = $2::boolean and livemode and status = 'pending'
        group by currency
    ) as pending on pending.currency = account.currency
    cross join lateral (
        values
            ('holds of in_doubt', coalesce(held.amount, 0), account.credits_pending),
            ('balance of in_doubt', 0, account.credits_posted - account.debits_posted),
            ('refunds in doubt of in_doubt', coalesce(held.refunds, 0), coalesce(pending.amount, 0))
    ) as doubt (field, stated, found)
    where account.tenant_id = $1::uuid and account.livemode = $2::boolean and account.code = 'in_doubt'
    union all
    -- A settlement says what its rows come to, each about what is booked for its payment, and posts that when it
    -- closes.
    select settlement.settlement_id, 'stl', told.field, told.stated, told.found
    from settlement
    left join (
        select
            row.settlement_id, sum(row.gross)::bigint as gross, sum(row.fee)::bigint as fee,
            sum(row.ours)::bigint as ours,
            sum(case when row.status = 'matched' and row.type <> 'fee' then row.ours else 0 end)::bigint as matched,
            sum(
                case
                    when row.status = 'matched' and row.type <> 'fee' and attempt.status = 'approved'
                    then case row.type when 'refund' then -attempt.amount else payment_intent.amount_received end
                    else 0
                end
            )::bigint as booked,
            count(*) filter (
                where row.status <> 'matched' and not row.accepted and (row.status <> 'pending' or row.line is not null)
            ) as differences
        from settlement_row as row
        left join attempt
            on attempt.tenant_id = row.tenant_id
            and attempt.livemode = row.livemode
            and attempt.attempt_id = row.attempt_id
        left join payment_intent
            on payment_intent.tenant_id = attempt.tenant_id
            and payment_intent.livemode = attempt.livemode
            and payment_intent.payment_intent_id = attempt.payment_intent_id
        where row.tenant_id = $1::uuid and row.livemode = $2::boolean
        group by row.settlement_id
    ) as found on found.settlement_id = settlement.settlement_id
    left join moved as bank on bank.source_id = settlement.settlement_id and bank.kind = 'settlement'
    left join moved as kept on kept.source_id = settlement.settlement_id and kept.kind = 'settlement_fee'
    cross join lateral (
        values
            ('gross of rows', settlement.gross, coalesce(found.gross, 0)),
            ('fee of rows', settlement.fee, coalesce(found.fee, 0)),
            ('booked for rows', settlement.ours, coalesce(found.ours, 0)),
            ('booked for matched rows', coalesce(found.matched, 0), coalesce(found.booked, 0)),
            ('differences', settlement.differences, coalesce(found.differences, 0)),
            (
                'net', case settlement.status when 'closed' then abs(settlement.net) else 0 end,
                coalesce(bank.amount, 0)
            ),
            (
                'fee', case settlement.status when 'closed' then abs(settlement.fee) else 0 end,
                coalesce(kept.amount, 0)
            )
    ) as told (field, stated, found)
    where settlement.tenant_id = $1::uuid and settlement.livemode = $2::boolean and settlement.status <> 'matching'
    union all
    -- What came to the bank, and what is no longer owed, is what closed settlements and accepted differences say.
    select account.account_id, 'lacc', 'balance of ' || account.code, coalesce(told.amount, 0),
        account.debits_posted - account.credits_posted
    from account
    left join (
        select settlement.currency, flow.code, sum(flow.amount)::bigint as amount
        from settlement
        cross join lateral (
            values
                ('settlement_bank', case settlement.status when 'closed' then settlement.net else 0 end),
                ('processor_fees', case settlement.status when 'closed' then settlement.fee else 0 end),
                ('settlement_differences', -settlement.accepted)
        ) as flow (code, amount)
        where settlement.tenant_id = $1::uuid and settlement.livemode = $2::boolean
        group by settlement.currency, flow.code
    ) as told on told.currency = account.currency and told.code = account.code
    where account.tenant_id = $1::uuid and account.livemode = $2::boolean
        and account.code in ('settlement_bank', 'processor_fees', 'settlement_differences')
    union all
    -- Live money was taken by an attempt. One in review may have taken it.
    select
        payment_intent.payment_intent_id, 'pi', 'amount taken by attempts', payment_intent.amount_received,
        case when taken.payment_intent_id is null then 0 else payment_intent.amount_received end
    from payment_intent
    left join (
        select distinct payment_intent_id
        from attempt
        where tenant_id = $1::uuid and livemode = $2::boolean
            and operation = 'authorize' and status in ('approved', 'review')
    ) as taken on taken.payment_intent_id = payment_intent.payment_intent_id
    where payment_intent.tenant_id = $1::uuid and payment_intent.livemode = $2::boolean and $2::boolean
    union all
    -- And refunded by attempts that were approved or are in doubt. Those in review may have refunded it.
    select
        refunded.payment_intent_id, 'pi', 'amount refunded by attempts', refunded.amount,
        greatest(least(refunded.amount, coalesce(given.most, 0)), coalesce(given.least, 0))
    from (
        select payment_intent_id, sum(amount)::bigint as amount
        from refund
        where tenant_id = $1::uuid and livemode = $2::boolean and $2::boolean
            and payment_intent_id is not null and status in ('succeeded', 'pending')
        group by payment_intent_id
    ) as refunded
    left join (
        select
            payment_intent_id, sum(amount)::bigint as most,
            coalesce(sum(amount) filter (where status = 'approved' or held > 0), 0)::bigint as least
        from attempt
        where tenant_id = $1::uuid and livemode = $2::boolean
            and operation = 'refund' and (status in ('approved', 'review') or held > 0)
        group by payment_intent_id
    ) as given on given.payment_intent_id = refunded.payment_intent_id
    union all
    -- So what processors owe is that, less what they have paid out or what was written off.
    select
        account.account_id, 'lacc', 'balance of processor', coalesce(owed.amount, 0),
        account.debits_posted - account.credits_posted
    from account
    left join (
        select flow.currency, sum(flow.amount)::bigint as amount
        from (
            select currency, amount_received
            from payment_intent
            where tenant_id = $1::uuid and livemode = $2::boolean
            union all
            select currency, -amount
            from refund
            where tenant_id = $1::uuid and livemode = $2::boolean and charge_id is not null
                and status in ('succeeded', 'pending', 'requires_action')
            union all
            select currency, -amount
            from dispute
            where tenant_id = $1::uuid and livemode = $2::boolean and status = 'lost'
            union all
            select currency, accepted - case status when 'closed' then net + fee else 0 end
            from settlement
            where tenant_id = $1::uuid and livemode = $2::boolean
        ) as flow (currency, amount)
        group by flow.currency
    ) as owed on owed.currency = account.currency
    where account.tenant_id = $1::uuid and account.livemode = $2::boolean and $2::boolean
        and account.code = 'processor'
    union all
    -- What was released is what captures up to the watermark left pending.
    select balance.balance_id, 'bal', 'released ' || released.currency, released.owed, released.moved
    from balance
    cross join lateral (
        select
            own.currency,
            sum(case when own.kind = 'release' then 0 else own.change end)::bigint as owed,
            (-sum(case when own.kind = 'release' then own.change else 0 end))::bigint as moved
        from (
            -- What moved the pending account, each with the last capture of its charge until then.
            select
                moved.kind, moved.currency, moved.change,
                max(case when moved.kind = 'capture' then moved.transfer_id::text end)
                    over (
                        partition by coalesce(
                            refund.charge_id, owner.source_transaction_id, fee.charge_id, moved.source_id
                        )
                        order by moved.transfer_id
                    ) as capture
            from (
                select
                    transfer.kind, transfer.currency, transfer.source_id, transfer.transfer_id,
                    case when account.account_id = transfer.credit_account_id then 1 else -1 end
                        * transfer.amount as change
                from account
                join transfer
                    on transfer.tenant_id = account.tenant_id
                    and transfer.livemode = account.livemode
                    and account.account_id in (transfer.debit_account_id, transfer.credit_account_id)
                where account.tenant_id = $1::uuid and account.livemode = $2::boolean and account.code = 'pending'
                    and transfer.phase in ('posted', 'post')
            ) as moved
            left join refund
                on refund.tenant_id = $1::uuid and refund.livemode = $2::boolean and refund.refund_id = moved.source_id
            left join transfer_reversal as reversal
                on reversal.tenant_id = $1::uuid and reversal.livemode = $2::boolean
                and reversal.transfer_reversal_id = moved.source_id
            left join account_transfer as owner
                on owner.tenant_id = $1::uuid and owner.livemode = $2::boolean
                and owner.account_transfer_id = coalesce(reversal.transfer_id, moved.source_id)
            left join fee_refund
                on fee_refund.tenant_id = $1::uuid and fee_refund.livemode = $2::boolean
                and fee_refund.fee_refund_id = moved.source_id
            left join application_fee as fee
                on fee.tenant_id = $1::uuid and fee.livemode = $2::boolean
                and fee.application_fee_id = coalesce(fee_refund.application_fee_id, moved.source_id)
        ) as own
        where own.kind = 'release' or own.capture::uuid <= balance.released_through
        group by own.currency
    ) as released
    where balance.tenant_id = $1::uuid and balance.livemode = $2::boolean
)
select object_id, prefix, field, stated, found
from claim
where stated <> found
limit 100
