"""What follows from the legacy API's answer to a write: events and money, which it does not show. Pure.

The legacy API's events and books are not seen here. What its answer says has to have happened, though: a
payment that succeeded has announced it, and has captured what was received.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import msgspec

from fastpay.engine.rollout.comparison import NOTHING, Difference, Shown
from fastpay.engine.write.trial import Effects

_CREATE = "POST /v1/payment_intents"
_SUCCESS = range(200, 300)


class Expected(NamedTuple):
    """The events of a write in order, and the kind of transfer that moves what a field of the answer says."""

    events: tuple[str, ...]
    kind: str | None = None
    amount: str = "amount"


# By route and by the status that the answer shows, None for any other. Writes that name an object go to the
# side that has it, so these make new ones.
EXPECTED: Mapping[tuple[str, str | None], Expected] = {
    (_CREATE, None): Expected(("payment_intent.created",)),
    (_CREATE, "succeeded"): Expected(
        ("payment_intent.created", "charge.succeeded", "payment_intent.succeeded"),
        "capture",
        "amount_received",
    ),
    (_CREATE, "requires_capture"): Expected(
        ("payment_intent.created", "charge.succeeded", "payment_intent.amount_capturable_updated")
    ),
    ("POST /v1/customers", None): Expected(("customer.created",)),
    ("POST /v1/setup_intents", None): Expected(("setup_intent.created",)),
}


def compare_effects(route: str, legacy: Shown, effects: Effects) -> Iterator[Difference]:
    """Yield what this server would not have done, though the legacy API's answer says that it was done."""
    try:
        body: Any = msgspec.json.decode(legacy.body)
    except (msgspec.DecodeError, RecursionError):
        return
    if legacy.status not in _SUCCESS or not isinstance(body, dict):
        for (kind, currency), amount in effects.moved.items():
            yield Difference("posting", f"{kind} {currency}", NOTHING, amount)
        return
    status = body.get("status")
    key = (route, status if isinstance(status, str) else None)
    expected = EXPECTED.get(key) or EXPECTED.get((route, None))
    if expected is None:
        return
    for event in expected.events:
        if event not in effects.events:
            yield Difference("event", event, event, NOTHING)
    ordered = [event for event in effects.events if event in expected.events]
    for one, other in zip([one for one in expected.events if one in ordered], ordered, strict=False):
        if one != other:
            yield Difference("event", "(order)", one, other)
            break
    if expected.kind is not None:
        said: Any = body.get(expected.amount)
        moved = effects.moved.get((expected.kind, str(body.get("currency"))), 0)
        if moved != said:
            yield Difference("posting", f"{expected.kind} {_shown(body.get('currency'))}", said, moved)


def _shown(currency: object) -> str:
    is_currency = isinstance(currency, str) and len(currency) == 3 and currency.isalpha()
    return str(currency) if is_currency else "*"
