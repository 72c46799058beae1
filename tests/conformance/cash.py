"""Customers' cash balances, and payments by bank transfer in every state."""

from typing import Any

from tests.conformance.shop import Shop

KINDS = {"cash_balance", "customer_cash_balance_transaction", "funding_instructions"}
TYPES = {
    "applied_to_payment",
    "funded",
    "refunded_from_payment",
    "return_canceled",
    "return_initiated",
    "unapplied_from_payment",
}


def cash_made(shop: Shop) -> dict[str, Any]:
    """Return what bank transfers of a customer lead to."""
    payer = shop.post("/v1/customers")["id"]
    base = f"/v1/customers/{payer}"

    def fund(amount: int) -> Any:
        return shop.post(
            f"/v1/test_helpers{base.removeprefix('/v1')}/fund_cash_balance",
            {"amount": str(amount), "currency": "eur", "reference": "Order 1"},
        )

    def pay(**more: Any) -> Any:
        return shop.intent(
            **more,
            currency="eur",
            confirm="true",
            customer=payer,
            payment_method_types__0="customer_balance",
            payment_method_data__type="customer_balance",
            payment_method_options__customer_balance__funding_type="bank_transfer",
            payment_method_options__customer_balance__bank_transfer__type="eu_bank_transfer",
            payment_method_options__customer_balance__bank_transfer__eu_bank_transfer__country="DE",
        )

    empty = shop.get(f"{base}/cash_balance")
    seller = shop.post("/v1/accounts", {"country": "DE"})["id"]
    waiting, canceled = pay(transfer_data__destination=seller, application_fee_amount="50"), pay()
    funded = fund(500)
    partly = shop.get(f"/v1/payment_intents/{waiting['id']}")
    fund(2000)
    paid = shop.get(f"/v1/payment_intents/{waiting['id']}")
    shop.post(f"/v1/payment_intents/{canceled['id']}/cancel")
    whole = {"reverse_transfer": "true", "refund_application_fee": "true"}
    refund = shop.post("/v1/refunds", {"payment_intent": paid["id"], "amount": "100", **whole})
    returned = cash_returned(shop, payer)
    transactions = shop.get(f"{base}/cash_balance_transactions", limit="100")["data"]
    assert {one["type"] for one in transactions} == TYPES
    return {
        "intent: by transfer": waiting,
        "intent: by transfer, in part": partly,
        "intent: by transfer, paid": paid,
        "charge: by transfer": shop.charge(paid),
        "method: a cash balance": shop.get(f"/v1/payment_methods/{paid['payment_method']}"),
        "refund: of a transfer": refund,
        **returned,
        "cash: none": empty,
        "cash: some": shop.get(f"{base}/cash_balance"),
        "cash: manual": shop.post(f"{base}/cash_balance", {"settings[reconciliation_mode]": "manual"}),
        "cash: to fund": shop.post(
            f"{base}/funding_instructions",
            {
                "currency": "eur",
                "funding_type": "bank_transfer",
                "bank_transfer[type]": "eu_bank_transfer",
                "bank_transfer[eu_bank_transfer][country]": "NL",
            },
        ),
        "cash: funded": funded,
        **{f"cash: {one['id']}": one for one in transactions},
        "cash: expanded": shop.get(
            f"{base}/cash_balance_transactions/{transactions[0]['id']}",
            **{"expand[0]": "customer.cash_balance", "expand[1]": "refunded_from_payment.refund"},
        ),
    }


def cash_returned(shop: Shop, payer: str) -> dict[str, Any]:
    """Return refunds of cash that no payment took."""
    cash = {"customer": payer, "currency": "eur", "origin": "customer_balance"}
    returned = shop.post("/v1/refunds", {**cash, "amount": "50", "metadata[a]": "1"})
    asked = shop.post("/v1/refunds", {**cash, "amount": "30", "instructions_email": "ada@example.com"})
    return {
        "refund: of cash": returned,
        "refund: of cash, waiting": asked,
        "refund: of cash, failed": shop.post(f"/v1/test_helpers/refunds/{asked['id']}/expire"),
        "refund: of cash, expanded": shop.get(
            f"/v1/refunds/{returned['id']}", **{"expand[0]": "customer", "expand[1]": "charge"}
        ),
    }
