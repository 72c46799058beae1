"""The main flows through the module-level API that every release of the Python SDK has.

Run with another release first on PYTHONPATH: `old_release.py URL KEY`. Prints what came of each flow.
"""

import importlib
import json
import sys
from typing import Any


def live(sdk: Any) -> dict[str, object]:  # Any: each release has types of its own
    """Pay, capture, refund, cancel, decline and list."""
    customer = sdk.Customer.create(email="ada@example.com", metadata={"vip": True})
    held = sdk.PaymentIntent.create(
        amount=2000,
        currency="usd",
        customer=customer.id,
        payment_method="pm_card_visa",
        capture_method="manual",
        automatic_payment_methods={"enabled": True, "allow_redirects": "never"},
    )
    confirmed = sdk.PaymentIntent.confirm(held.id, off_session=False, error_on_requires_action=True)
    captured = sdk.PaymentIntent.capture(held.id, amount_to_capture=1500)
    refund = sdk.Refund.create(payment_intent=held.id, amount=500)
    card = {"amount": 5, "currency": "usd", "confirm": True}
    paid = sdk.PaymentIntent.create(payment_method="pm_card_visa", expand=["latest_charge"], **card)
    canceled = sdk.PaymentIntent.cancel(sdk.PaymentIntent.create(amount=5, currency="usd").id)
    more = [sdk.Customer.create(name=str(number)).id for number in range(4)]
    walked = [one.id for one in sdk.Customer.list(limit=2).auto_paging_iter()]
    try:
        sdk.PaymentIntent.create(payment_method="pm_card_chargeDeclined", **card)
    except getattr(sdk, "error", sdk).CardError as error:
        declined = error.code
    return {
        "statuses": [one.status for one in (held, confirmed, captured, refund, paid, canceled)],
        "charge": paid.latest_charge.object,
        "received": captured.amount_received,
        "walked": walked == [*reversed(more), customer.id],
        "declined": declined,
    }


if __name__ == "__main__":
    stripe: Any = importlib.import_module("stripe")
    stripe.api_base, stripe.api_key = sys.argv[1:]
    told = live(stripe)
    release = getattr(stripe, "VERSION", None) or stripe.version.VERSION
    sys.stdout.write(json.dumps({"release": release, **told}))
