"""Compares the server's final state with what its clients were told."""

import asyncio
from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from fastpay import limits
from fastpay.errors import ConfigurationError
from fastpay.operations.demo.client import Client
from fastpay.operations.demo.payments import Payment
from fastpay.outbound.http import Answer


class Balance(msgspec.Struct, frozen=True, kw_only=True):
    """The sums over all accounts of one currency, in minor units."""

    currency: str
    debits_posted: int
    credits_posted: int
    debits_pending: int
    credits_pending: int
    difference: int


class Books(msgspec.Struct, frozen=True, kw_only=True):
    """The server's own verification of its ledger."""

    ok: bool
    balances: tuple[Balance, ...]
    problems: tuple[str, ...]


async def newest_payment(client: Client) -> str | None:
    """Return the newest payment; those of the run come after it."""
    data = _success(await client.get("/v1/payment_intents", limit=1))["data"]
    return data[0]["id"] if data else None


async def list_payments(client: Client, run: str, *, after: str | None) -> list[Payment]:
    """Return the server's payments of a run, by reading its list back to the payment `after`."""
    found: list[Payment] = []
    page: dict[str, Any] = {"limit": limits.page_size_max, "expand": ["data.latest_charge"]}
    while True:
        listed = _success(await client.get("/v1/payment_intents", **page))
        for body in listed["data"]:
            if body["id"] == after:
                return found
            if body["metadata"].get("demo") == run:
                found.append(_read(body))
        if not listed["has_more"]:
            return found
        page["starting_after"] = listed["data"][-1]["id"]


async def read_back(client: Client, payments: Sequence[Payment], *, at_once: int) -> list[str]:
    """Read each payment by its identifier; return a sentence for each difference from the list."""
    faults: list[str] = []
    waiting = deque(payments)

    async def read() -> None:
        while waiting:
            payment = waiting.popleft()
            answer = await client.get(f"/v1/payment_intents/{payment.id}", expand=["latest_charge"])
            stands = _read(_success(answer))
            if stands != payment:
                faults.append(f"{payment.id} reads {_describe(stands)}, listed was {_describe(payment)}")

    await asyncio.gather(*(read() for _ in range(at_once)))
    return faults


async def verify_books(client: Client) -> Books:
    """Let the server verify its books."""
    return msgspec.convert(_success(await client.get("/v1/ledger/verify")), Books)


def compare(expected: Iterable[Payment], found: Iterable[Payment]) -> list[str]:
    """Return a sentence for each payment that is missing, duplicated, unknown or different."""
    faults = []
    by_id = {payment.id: payment for payment in found}
    orders = Counter(payment.order for payment in by_id.values())
    faults += [f"order {order} was charged {count} times" for order, count in orders.items() if count > 1]
    known = {payment.id for payment in expected}
    faults += [f"nobody knows of {identifier}" for identifier in by_id if identifier not in known]
    for payment in expected:
        stands = by_id.get(payment.id)
        if stands is None:
            faults.append(f"{payment.id} was acknowledged and is not there")
        elif stands != payment:
            faults.append(f"{payment.id} is {_describe(stands)}, acknowledged was {_describe(payment)}")
    return faults


def check_books(books: Books) -> list[str]:
    """Return a sentence for each error in the books."""
    faults = []
    for balance in books.balances:
        pending = balance.debits_pending - balance.credits_pending
        if balance.difference or pending:
            faults.append(
                f"the accounts in {balance.currency} differ by {balance.difference} posted, {pending} pending"
            )
    faults += [f"the ledger says: {problem}" for problem in books.problems]
    return faults if faults or books.ok else ["the ledger says that it is not in order"]


def _describe(payment: Payment) -> str:
    return f"{payment.outcome} ({payment.amount}, {payment.received}, {payment.refunded} {payment.currency})"


def _read(body: Mapping[str, Any]) -> Payment:
    charge = body["latest_charge"] or {}
    # In the dialect a released hold counts as refunded, although no money moved.
    refunded = charge["amount_refunded"] if charge.get("captured") else 0
    return Payment(
        order=body["metadata"].get("order", ""),
        id=body["id"],
        outcome=_outcome(body, refunded),
        currency=body["currency"],
        amount=body["amount"],
        received=body["amount_received"],
        refunded=refunded,
    )


def _outcome(body: Mapping[str, Any], refunded: int) -> str:
    if body["status"] == "requires_payment_method" and body["last_payment_error"] is not None:
        return f"declined: {body['last_payment_error'].get('decline_code')}"
    if body["status"] != "succeeded":
        return str(body["status"])
    if refunded:
        return "refunded" if refunded == body["amount_received"] else "refunded in part"
    return "paid" if body["amount_received"] == body["amount"] else "captured in part"


def _success(answer: Answer) -> dict[str, Any]:
    if answer.status != 200:
        said = answer.body.decode("utf-8", "replace")[:300]
        raise ConfigurationError(f"the server answered {answer.status}: {said}")
    body: dict[str, Any] = answer.json()
    return body
