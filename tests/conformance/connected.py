"""Payments that go on to a connected account, and everything that comes of them."""

from typing import Any

from tests.conformance.shop import Shop


def passed_on(shop: Shop) -> dict[str, Any]:
    """Return transfers and fees, new and taken back."""
    account = {"country": "DE", "account_number": "DE89370400440532013000"}
    token = shop.post("/v1/tokens", {f"bank_account[{name}]": text for name, text in account.items()})
    seller = shop.post("/v1/accounts", {"country": "DE", "external_account": token["id"]})
    split = {
        "transfer_data__destination": seller["id"],
        "application_fee_amount": "100",
        "on_behalf_of": seller["id"],
    }
    intent = shop.pay(**split)
    charge = shop.charge(intent)
    fee = shop.get(f"/v1/application_fees/{charge['application_fee']}")
    transfer = shop.post(f"/v1/transfers/{charge['transfer']}", {"metadata[a]": "1"})
    part = shop.post(f"/v1/application_fees/{fee['id']}/refunds", {"amount": "10", "metadata[a]": "1"})
    whole = {"reverse_transfer": "true", "refund_application_fee": "true"}
    refund = shop.post("/v1/refunds", {"charge": charge["id"], "amount": "1000", **whole})
    reversal = refund["transfer_reversal"]
    reversals = f"/v1/transfers/{transfer['id']}/reversals"
    transactions = "/v1/balance_transactions"
    return {
        "account: connected": seller,
        "intent: passed on": intent,
        "intent: with its destination": shop.get(
            f"/v1/payment_intents/{intent['id']}",
            **{"expand[0]": "transfer_data.destination", "expand[1]": "on_behalf_of"},
        ),
        "intent: a part of it": shop.pay(
            transfer_data__destination=seller["id"], transfer_data__amount="500", capture_method="manual"
        ),
        "charge: passed on": charge,
        "charge: with its transfer": shop.get(
            f"/v1/charges/{charge['id']}",
            **{
                "expand[0]": "transfer",
                "expand[1]": "application_fee.application",
                "expand[2]": "on_behalf_of",
            },
        ),
        "fee: new": fee,
        "fee: refunded in part": shop.get(f"/v1/application_fees/{fee['id']}"),
        "fee: expanded": shop.get(
            f"/v1/application_fees/{fee['id']}",
            **{"expand[0]": "account", "expand[1]": "balance_transaction", "expand[2]": "charge"},
        ),
        "fee refund: new": part,
        "fee refund: updated": shop.post(
            f"/v1/application_fees/{fee['id']}/refunds/{part['id']}", {"metadata[a]": "2"}
        ),
        "transfer: of a payment": transfer,
        "transfer: by itself": shop.post(
            "/v1/transfers",
            {
                "amount": "10",
                "currency": "usd",
                "destination": seller["id"],
                "source_transaction": shop.pay()["latest_charge"],
            },
        ),
        "reversal: with a refund": shop.get(f"{reversals}/{reversal}", **{"expand[]": "source_refund"}),
        "reversal: by itself": shop.post(reversals, {"amount": "10", "refund_application_fee": "true"}),
        "refund: with a reversal": refund,
        "refund: with its reversal": shop.get(
            f"/v1/refunds/{refund['id']}", **{"expand[]": "transfer_reversal"}
        ),
        "transaction: of an application fee": shop.get(f"{transactions}/{fee['balance_transaction']}"),
        "transaction: of its refund": shop.get(f"{transactions}/{part['balance_transaction']}"),
    }
