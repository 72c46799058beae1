"""A platform with the official client: payments for a seller, fees, refunds."""

import stripe

from tests.support.dialect import violations


def test_a_platform_sells_for_a_seller_and_takes_a_part_of_it_back(client: stripe.StripeClient) -> None:
    seller = client.v1.accounts.create({"type": "express", "country": "US"})
    paid = client.v1.payment_intents.create(
        {
            "amount": 2000,
            "currency": "usd",
            "payment_method": "pm_card_visa",
            "confirm": True,
            "application_fee_amount": 200,
            "on_behalf_of": seller.id,
            "transfer_data": {"destination": seller.id},
            "expand": ["latest_charge.transfer", "latest_charge.application_fee.application"],
        }
    )
    charge = paid.latest_charge
    assert isinstance(charge, stripe.Charge)
    transfer, fee = charge.transfer, charge.application_fee
    assert isinstance(transfer, stripe.Transfer)
    assert isinstance(fee, stripe.ApplicationFee)
    assert isinstance(fee.application, stripe.Application)
    assert (transfer.amount, transfer.destination, fee.amount) == (2000, seller.id, 200)
    refund = client.v1.refunds.create(
        {
            "payment_intent": paid.id,
            "amount": 1000,
            "reverse_transfer": True,
            "refund_application_fee": True,
            "expand": ["transfer_reversal"],
        }
    )
    reversal = refund.transfer_reversal
    assert isinstance(reversal, stripe.TransferReversal)
    assert (reversal.amount, reversal.source_refund) == (1000, refund.id)
    again = client.v1.application_fees.refunds.create(fee.id, {"amount": 50, "metadata": {"a": "1"}})
    changed = client.v1.application_fees.refunds.update(fee.id, again.id, {"metadata": {"a": "2"}})
    assert changed.metadata is not None
    assert changed.metadata["a"] == "2"
    assert client.v1.application_fees.refunds.list(fee.id).data[0].id == again.id
    assert client.v1.application_fees.refunds.retrieve(fee.id, again.id).amount == 50
    (listed,) = client.v1.application_fees.list({"charge": charge.id}).data
    assert listed.amount_refunded == 150
    assert violations(listed.to_dict(), stripe.ApplicationFee) == []
    types = [event.type for event in client.v1.events.list({"limit": 100}).data]
    assert {
        "application_fee.created",
        "application_fee.refunded",
        "application_fee.refund.updated",
        "transfer.created",
        "transfer.reversed",
    } <= set(types)


def test_an_account_is_created_with_a_controller(client: stripe.StripeClient) -> None:
    seller = client.v1.accounts.create(
        {
            "country": "US",
            "controller": {
                "fees": {"payer": "application"},
                "losses": {"payments": "application"},
                "stripe_dashboard": {"type": "express"},
            },
            "capabilities": {"transfers": {"requested": True}},
        }
    )
    assert (seller.type, seller.capabilities and seller.capabilities.transfers) == ("none", "active")
    assert violations(seller.to_dict(), stripe.Account) == []
    assert client.v1.accounts.create({"country": "US"}).type == "standard"


def test_what_the_items_of_an_included_list_name_is_expanded(client: stripe.StripeClient) -> None:
    seller = client.v1.accounts.create({"type": "express"}).id
    card = {"amount": 2000, "currency": "usd", "confirm": True}
    destination = {"application_fee_amount": 200, "transfer_data": {"destination": seller}}
    paid = client.v1.payment_intents.create({**card, **destination, "payment_method": "pm_card_visa"})  # type: ignore[typeddict-item]
    (fee,) = client.v1.application_fees.list({"charge": str(paid.latest_charge)}).data
    client.v1.application_fees.refunds.create(fee.id, {"amount": 50})
    (sent,) = client.v1.transfers.list({"destination": seller}).data
    client.v1.transfers.reversals.create(sent.id, {"amount": 70})
    (sent,) = client.v1.transfers.list({"expand": ["data.reversals.data.balance_transaction.source"]}).data
    moved = sent.reversals.data[0].balance_transaction
    assert isinstance(moved, stripe.BalanceTransaction)
    assert isinstance(moved.source, stripe.TransferReversal)
    assert moved.amount == 70
    (fee,) = client.v1.application_fees.list({"expand": ["data.refunds.data.balance_transaction"]}).data
    returned = fee.refunds.data[0].balance_transaction
    assert isinstance(returned, stripe.BalanceTransaction)
    assert returned.amount == -50
    client.v1.payment_intents.create({**card, "payment_method": "pm_card_createDispute"})  # type: ignore[typeddict-item]
    (dispute,) = client.v1.disputes.list({"expand": ["data.balance_transactions.source"]}).data
    assert isinstance(dispute.balance_transactions[0].source, stripe.Dispute)
    account = client.v1.accounts.retrieve_current({"expand": ["external_accounts"]})
    assert account.external_accounts is not None
    assert account.external_accounts.data == []
