"""The payments of the demo: what customers do, and the expected results."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec

from fastpay import limits
from fastpay.operations.demo.client import Client
from fastpay.outbound.http import Answer

CURRENCIES = ("usd", "eur", "jpy")
CARDS = ("pm_card_visa", "pm_card_mastercard", "pm_card_amex", "pm_card_discover", "pm_card_jcb")

# A card for each decline, with its decline code.
DECLINES = {
    "pm_card_chargeDeclined": "generic_decline",
    "pm_card_chargeDeclinedInsufficientFunds": "insufficient_funds",
    "pm_card_chargeDeclinedLostCard": "lost_card",
    "pm_card_chargeDeclinedStolenCard": "stolen_card",
    "pm_card_chargeDeclinedExpiredCard": "expired_card",
    "pm_card_chargeDeclinedIncorrectCvc": "incorrect_cvc",
    "pm_card_chargeDeclinedProcessingError": "processing_error",
    "pm_card_radarBlock": "fraudulent",
}


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What one customer will do: a kind of payment, with its amount in minor units."""

    number: int
    kind: str
    amount: int
    currency: str
    card: str


class Payment(msgspec.Struct, frozen=True, kw_only=True):
    """The final state of a payment, as the client expects it or the server reports it."""

    order: str
    id: str
    outcome: str
    currency: str
    amount: int
    received: int = 0
    refunded: int = 0


class UnexpectedAnswerError(Exception):
    """The server's response was not the expected one."""


class Customers:
    """All customers of one run, and the record of their results."""

    def __init__(self, client: Client, run: str) -> None:
        self._client = client
        self.run = run
        self.payments: list[Payment] = []
        self.faults: list[str] = []
        self.latencies_ms: dict[str, list[float]] = {kind: [] for kind in KINDS}

    async def serve(self, order: Order) -> None:
        """Process one order to its end, and record the result."""
        try:
            payment = await KINDS[order.kind][1](self, order)
        except UnexpectedAnswerError as error:
            self.faults.append(f"order {order.number} ({order.kind}): {error}")
        else:
            self.payments.append(payment)

    async def post(self, order: Order, step: str, path: str, params: Mapping[str, Any]) -> Answer:
        """Send one step of an order under a key of its own; the same step has the same key."""
        answer = await self._client.post(f"/v1/{path}", f"{self.run}-{order.number}-{step}", params)
        self.latencies_ms[order.kind].append(answer.milliseconds)
        return answer

    async def create(self, order: Order, *, confirm: bool = True, hold: bool = False) -> Answer:
        """Create the payment of an order."""
        params: dict[str, Any] = {
            "amount": order.amount,
            "currency": order.currency,
            "payment_method": order.card,
            "confirm": confirm,
            "metadata": {"demo": self.run, "order": order.number},
        }
        if hold:
            params["capture_method"] = "manual"
        return await self.post(order, "create", "payment_intents", params)


def plan_orders(count: int, seed: int) -> list[Order]:
    """Return this number of orders: each kind has its share; order, amounts and cards are random."""
    # The same seed gives the same orders; nothing here is a secret.
    chance = random.Random(seed)  # noqa: S311
    kinds = list(KINDS)
    shares = [share for share, _ in KINDS.values()]
    # The whole part of each share first, then the rest by weight, so that a small run has as many kinds as
    # possible.
    chosen = [kind for kind, share in zip(kinds, shares, strict=True) for _ in range(count * share // 100)]
    chosen += chance.choices(kinds, shares, k=count - len(chosen))
    chance.shuffle(chosen)
    return [
        Order(
            number=number,
            kind=kind,
            amount=chance.randint(200, 50_000),
            currency=chance.choice(CURRENCIES),
            card=chance.choice(list(DECLINES) if kind == "declined" else CARDS),
        )
        for number, kind in enumerate(chosen, 1)
    ]


async def _pay(customers: Customers, order: Order) -> Payment:
    answer = await customers.create(order)
    body = _require(answer, status="succeeded", amount_received=order.amount)
    return _payment(order, body, "paid", received=order.amount)


async def _pay_in_two_steps(customers: Customers, order: Order) -> Payment:
    made = _require(await customers.create(order, confirm=False), status="requires_confirmation")
    answer = await customers.post(order, "confirm", f"payment_intents/{made['id']}/confirm", {})
    body = _require(answer, status="succeeded", amount_received=order.amount)
    return _payment(order, body, "paid", received=order.amount)


async def _be_declined(customers: Customers, order: Order) -> Payment:
    answer = await customers.create(order)
    if answer.status != 402:
        raise UnexpectedAnswerError(f"{order.card} was answered with {answer.status}, not 402")
    error = answer.json()["error"]
    if error.get("decline_code") != DECLINES[order.card]:
        raise UnexpectedAnswerError(f"{order.card} was declined as {error.get('decline_code')}")
    return _payment(order, error["payment_intent"], f"declined: {DECLINES[order.card]}")


async def _capture_part(customers: Customers, order: Order) -> Payment:
    held = await _hold(customers, order)
    part = order.amount * 3 // 4
    answer = await customers.post(
        order, "capture", f"payment_intents/{held}/capture", {"amount_to_capture": part}
    )
    body = _require(answer, status="succeeded", amount_received=part)
    return _payment(order, body, "captured in part", received=part)


async def _cancel_hold(customers: Customers, order: Order) -> Payment:
    held = await _hold(customers, order)
    answer = await customers.post(order, "cancel", f"payment_intents/{held}/cancel", {})
    return _payment(order, _require(answer, status="canceled", amount_received=0), "canceled")


async def _hold(customers: Customers, order: Order) -> str:
    answer = await customers.create(order, hold=True)
    body = _require(answer, status="requires_capture", amount_capturable=order.amount)
    return str(body["id"])


async def _refund_all(customers: Customers, order: Order) -> Payment:
    paid = _require(await customers.create(order), status="succeeded")
    await _refund(customers, order, paid["id"], order.amount)
    return _payment(order, paid, "refunded", received=order.amount, refunded=order.amount)


async def _refund_part(customers: Customers, order: Order) -> Payment:
    paid = _require(await customers.create(order), status="succeeded")
    parts = (order.amount // 4, order.amount // 2)
    for part in parts:
        await _refund(customers, order, paid["id"], part)
    return _payment(order, paid, "refunded in part", received=order.amount, refunded=sum(parts))


async def _refund(customers: Customers, order: Order, payment_id: str, amount: int) -> None:
    params = {"payment_intent": payment_id, "amount": amount}
    answer = await customers.post(order, f"refund {amount}", "refunds", params)
    _require(answer, status="succeeded", amount=amount, payment_intent=payment_id)


async def _press_twice(customers: Customers, order: Order) -> Payment:
    """Send one request several times at once; require one payment, and replays for all but one."""
    answers = await asyncio.gather(*(customers.create(order) for _ in range(limits.demo_duplicates)))
    body = _require(answers[0], status="succeeded", amount_received=order.amount)
    if len({answer.body for answer in answers}) > 1:
        raise UnexpectedAnswerError("one idempotency key got different responses")
    first = [answer for answer in answers if answer.headers.get("idempotent-replayed") != "true"]
    if len(first) > 1:
        raise UnexpectedAnswerError(f"one idempotency key was served {len(first)} times")
    return _payment(order, body, "paid", received=order.amount)


def _require(answer: Answer, **fields: object) -> dict[str, Any]:
    """Return the body of a success. Raises: UnexpectedAnswerError for an error or an unexpected field."""
    if answer.status != 200:
        raise UnexpectedAnswerError(f"answered with {answer.status}: {answer.body.decode()[:200]}")
    body: dict[str, Any] = answer.json()
    for name, expected in fields.items():
        if body.get(name) != expected:
            raise UnexpectedAnswerError(f"{body.get('id')} has {name} {body.get(name)}, not {expected}")
    return body


def _payment(
    order: Order, body: Mapping[str, Any], outcome: str, *, received: int = 0, refunded: int = 0
) -> Payment:
    return Payment(
        order=str(order.number),
        id=body["id"],
        outcome=outcome,
        currency=order.currency,
        amount=order.amount,
        received=received,
        refunded=refunded,
    )


# The share of each kind in percent, and what its customers do.
KINDS: dict[str, tuple[int, Callable[[Customers, Order], Awaitable[Payment]]]] = {
    "paid at once": (36, _pay),
    "paid in two steps": (8, _pay_in_two_steps),
    "declined": (18, _be_declined),
    "held, captured in part": (12, _capture_part),
    "held, canceled": (7, _cancel_hold),
    "refunded in full": (7, _refund_all),
    "refunded in parts": (6, _refund_part),
    f"sent {limits.demo_duplicates} times at once": (6, _press_twice),
}
