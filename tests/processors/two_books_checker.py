"""Holds what clients were told against the books of both sides. It shares no code with what wrote them.

A payment is known to the three by its `order`, which clients choose and which goes to the processor as
metadata; an order to the processor by its reference, which is the identifier of the attempt.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple


class Told(NamedTuple):
    """What a client was told of a payment: `status` is that of the payment, or "" if there was no answer."""

    order: str
    amount: int
    payment: str = ""
    status: str = ""


class Payment(NamedTuple):
    """A payment in our books, and the references of its attempts by their status."""

    id: str
    order: str
    amount: int
    received: int
    status: str
    attempts: Mapping[str, str]


class Charge(NamedTuple):
    """A payment in the books of the processor."""

    order: str
    reference: str
    amount: int
    received: int
    status: str


def find_faults(told: Sequence[Told], ours: Sequence[Payment], theirs: Sequence[Charge]) -> list[str]:
    """Return a line for each fault: a word for its kind, and where it shows."""
    return [*_charged(ours, theirs), *_states(ours, theirs), *_told(told, ours)]


def _charged(ours: Sequence[Payment], theirs: Sequence[Charge]) -> Iterable[str]:
    """Nobody is charged twice, and nobody without a payment of ours."""
    times: dict[str, list[str]] = defaultdict(list)
    for charge in theirs:
        if charge.status == "succeeded":
            times[charge.order].append(charge.reference)
    for order, references in times.items():
        if len(references) > 1:
            yield f"twice: {order} was charged by {sorted(references)}"
    known = {reference for payment in ours for reference in payment.attempts}
    for charge in theirs:
        if charge.reference not in known:
            yield f"foreign: {charge.order} was sent as {charge.reference}, of which there is no attempt"


def _states(ours: Sequence[Payment], theirs: Sequence[Charge]) -> Iterable[str]:
    """A payment is where the processor's books say, and so is each attempt."""
    charged = {charge.reference: charge for charge in theirs if charge.status == "succeeded"}
    for payment in ours:
        taken = [charged[reference] for reference in payment.attempts if reference in charged]
        expected = ("succeeded", sum(one.received for one in taken)) if taken else ("", 0)
        status = payment.status if payment.status == "succeeded" else ""
        if (status, payment.received) != expected:
            yield f"state: {payment.order} is {payment.status} with {payment.received}, and theirs {taken}"
        if payment.status not in {"succeeded", "requires_payment_method"}:
            yield f"unfinished: {payment.order} is {payment.status}"
        for reference, ended in payment.attempts.items():
            if (ended == "approved") != (reference in charged):
                yield f"attempt: {reference} of {payment.order} ended as {ended}"
            elif ended in {"open", "review"}:
                yield f"unfinished: {reference} of {payment.order} is {ended}"


def _told(told: Sequence[Told], ours: Sequence[Payment]) -> Iterable[str]:
    """A key has one answer, about the one payment of its order; and what it said has come to pass."""
    answers: dict[str, set[Told]] = defaultdict(set)
    of_order: dict[str, list[Payment]] = defaultdict(list)
    for payment in ours:
        of_order[payment.order].append(payment)
    for one in told:
        if one.status:
            answers[one.order].add(one)
    for order, payments in of_order.items():
        if len(payments) > 1:
            yield f"double: {order} is {len(payments)} payments"
    for order in {one.order for one in told} - answers.keys():
        yield f"unanswered: {order} was never answered"
    for order, given in answers.items():
        if len(given) > 1:
            yield f"divergent: {order} was answered {sorted(given)}"
        for one in given:
            found = [payment for payment in of_order[order] if payment.id == one.payment]
            if [payment.amount for payment in found] != [one.amount]:
                yield f"lost: {order} is not as it was asked for"
            elif one.status not in {"processing", found[0].status}:
                yield f"broken: {order} was answered {one.status}, and is {found[0].status}"
