"""Disputes in every state, and refunds that are not at their end, or come after it."""

import time
from typing import Any

DISPUTE_STATES = {
    "needs_response",
    "under_review",
    "won",
    "lost",
    "warning_needs_response",
    "warning_under_review",
    "warning_closed",
}
REFUND_STATES = {"pending", "requires_action", "succeeded", "failed", "canceled"}


def disputes(shop: Any) -> dict[str, Any]:
    """Return disputes in every state."""

    def disputed(card: str, text: str | None = None) -> Any:
        charge = shop.pay(f"pm_card_createDispute{card}")["latest_charge"]
        (dispute,) = shop.get("/v1/disputes", charge=charge)["data"]
        if text is None:
            return dispute
        return shop.post(f"/v1/disputes/{dispute['id']}", {"evidence[uncategorized_text]": text})

    debited = shop.intent(
        currency="eur",
        confirm="true",
        payment_method="pm_success_de",
        payment_method_types__0="sepa_debit",
        mandate_data__customer_acceptance__type="offline",
    )
    while shop.get(f"/v1/payment_intents/{debited['id']}")["status"] == "processing":
        time.sleep(0.05)
    won = disputed("", "winning_evidence")
    history = shop.pay("pm_card_createCe3EligibleDispute")["latest_charge"]
    (compelling,) = shop.get("/v1/disputes", charge=history)["data"]
    prior = [shop.pay()["latest_charge"] for _ in range(2)]
    program = "evidence[enhanced_evidence][visa_compelling_evidence_3]"
    answered = shop.post(
        f"/v1/disputes/{compelling['id']}",
        {
            f"{program}[disputed_transaction][product_description]": "A book",
            f"{program}[disputed_transaction][shipping_address][city]": "Bern",
            **{
                f"{program}[prior_undisputed_transactions][{place}][charge]": charge
                for place, charge in enumerate(prior)
            },
            "submit": "false",
        },
    )
    ruled = shop.pay("pm_card_createComplianceDispute")["latest_charge"]
    (compliance,) = shop.get("/v1/disputes", charge=ruled)["data"]
    closed = shop.post(f"/v1/disputes/{disputed('Inquiry')['id']}/close")
    return {
        "dispute: new": disputed(""),
        "dispute: eligible": compelling,
        "dispute: with enhanced evidence": answered,
        "dispute: of compliance": compliance,
        "dispute: of a debit": shop.post(f"/v1/test_helpers/charges/{debited['latest_charge']}/dispute"),
        "dispute: reviewed": disputed("", "He was there."),
        "dispute: won": won,
        "dispute: lost": disputed("", "losing_evidence"),
        "dispute: inquiry": disputed("Inquiry"),
        "dispute: inquiry reviewed": disputed("Inquiry", "He was there."),
        "dispute: inquiry closed": closed,
        "dispute: expanded": shop.get(
            f"/v1/disputes/{won['id']}", **{"expand[0]": "charge.dispute", "expand[1]": "payment_intent"}
        ),
        "charge: disputed": shop.get(f"/v1/charges/{won['charge']}"),
        "transaction: of a dispute": shop.get(
            f"/v1/balance_transactions/{won['balance_transactions'][1]['id']}"
        ),
    }


def refunds_that_change(shop: Any) -> dict[str, Any]:
    """Return refunds in the states that are not the end, or come after it."""

    def refunded(card: str, **fields: str) -> Any:
        return shop.post("/v1/refunds", {"payment_intent": shop.pay(f"pm_card_{card}")["id"], **fields})

    waiting, expired = (refunded("refundRequiresAction", instructions_email="ada@example.com") for _ in "ab")
    failed = shop.post(f"/v1/test_helpers/refunds/{expired['id']}/expire")
    return {
        "refund: pending": refunded("pendingRefund"),
        "refund: waiting": waiting,
        "refund: canceled": shop.post(f"/v1/refunds/{refunded('refundRequiresAction')['id']}/cancel"),
        "refund: failed": failed,
        "transaction: of a refund that failed": shop.get(
            f"/v1/balance_transactions/{failed['failure_balance_transaction']}"
        ),
    }
