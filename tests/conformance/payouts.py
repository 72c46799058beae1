"""Payouts in every state."""

import time
from typing import Any, Protocol


class Shop(Protocol):
    """A tenant on the running server."""

    def get(self, path: str, **query: str) -> Any:
        """Return what is at a path."""

    def post(self, path: str, fields: dict[str, str] | None = None) -> Any:
        """Return what a request makes."""

    def pay(self, card: str) -> Any:
        """Pay with a card."""


def payouts_made(shop: Shop) -> dict[str, Any]:
    """Return payouts that ended in each way. The server has no delay in test mode."""

    def ended(payout: Any) -> Any:
        while (found := shop.get(f"/v1/payouts/{payout['id']}"))["status"] in {"pending", "in_transit"}:
            time.sleep(0.05)
        return found

    # What is paid out was available at once.
    shop.pay("pm_card_bypassPending")
    form = {"amount": "100", "currency": "usd"}
    made = shop.post("/v1/payouts", {**form, "description": "May", "metadata[a]": "1"})
    paid = ended(made)
    return {
        "payout: new": made,
        "payout: paid": paid,
        "payout: failed": ended(shop.post("/v1/payouts", {**form, "destination": "ba_noAccount"})),
        "payout: reversal": ended(shop.post(f"/v1/payouts/{paid['id']}/reverse")),
        "payout: expanded": shop.get(
            f"/v1/payouts/{paid['id']}", **{"expand[]": "balance_transaction.source"}
        ),
    }
