"""Holds what clients were told against the books of both sides. It shares no code with what wrote them.

A payment is known to the three by its `order`, which clients choose and which goes to the processor as
metadata; an order to the processor by its reference, which is the identifier of the attempt.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple


class Told(NamedTuple):
    """What a client was told after a step ("pay", "capture", "cancel" or "refund") of an order.

    `status` is that of the payment or the refund, or "" if there was no answer.
    """

    order: str
    step: str
    amount: int
    payment: str = ""
    status: str = ""


class Payment(NamedTuple):
    """A payment in our books, and by their references the attempts to authorize and to refund it."""

    id: str
    order: str
    amount: int
    received: int
    status: str
    attempts: Mapping[str, str]
    refunds: Mapping[str, str] = {}


class Charge(NamedTuple):
    """A payment in the books of the processor."""

    order: str
    reference: str
    amount: int
    received: int
    status: str


# In these states of a payment its authorization was approved.
_AUTHORIZED = frozenset(("succeeded", "requires_capture", "canceled"))


def find_faults(
    told: Sequence[Told], ours: Sequence[Payment], theirs: Sequence[Charge], refunds: Sequence[str]
) -> list[str]:
    """Return a line for each fault: a word for its kind, and where it shows.

    `refunds` are the references of all that the processor has refunded.
    """
    return [*_charged(ours, theirs), *_refunded(ours, refunds), *_states(ours, theirs), *_told(told, ours)]


def _charged(ours: Sequence[Payment], theirs: Sequence[Charge]) -> Iterable[str]:
    """Nobody is charged twice, and nobody without a payment of ours."""
    times: dict[str, list[str]] = defaultdict(list)
    for charge in theirs:
        if charge.status in _AUTHORIZED:
            times[charge.order].append(charge.reference)
    for order, references in times.items():
        if len(references) > 1:
            yield f"twice: {order} was charged by {sorted(references)}"
    known = {reference for payment in ours for reference in payment.attempts}
    for charge in theirs:
        if charge.reference not in known:
            yield f"foreign: {charge.order} was sent as {charge.reference}, of which there is no attempt"


def _refunded(ours: Sequence[Payment], refunds: Sequence[str]) -> Iterable[str]:
    """What the processor has refunded, it has refunded once, and nothing else counts as refunded."""
    for reference, times in Counter(refunds).items():
        if times > 1:
            yield f"twice: {reference} was refunded {times} times"
    expected = set(refunds)
    for payment in ours:
        for reference, ended in payment.refunds.items():
            if ended in {"open", "review"}:
                yield f"unfinished: {reference} of {payment.order} is {ended}"
            elif (ended == "approved") != (reference in expected):
                yield f"refund: {reference} of {payment.order} ended as {ended}"
    for reference in expected - {one for payment in ours for one in payment.refunds}:
        yield f"foreign: they have refunded {reference}"


def _states(ours: Sequence[Payment], theirs: Sequence[Charge]) -> Iterable[str]:
    """A payment is where the processor's books say, and so is each attempt."""
    authorized = {charge.reference: charge for charge in theirs if charge.status in _AUTHORIZED}
    for payment in ours:
        taken = [authorized[reference] for reference in payment.attempts if reference in authorized]
        expected = (taken[0].status, taken[0].received) if taken else ("", 0)
        status = payment.status if payment.status in _AUTHORIZED else ""
        if (status, payment.received) != expected:
            yield f"state: {payment.order} is {payment.status} with {payment.received}, and theirs {taken}"
        if payment.status not in _AUTHORIZED | {"requires_payment_method"}:
            yield f"unfinished: {payment.order} is {payment.status}"
        for reference, ended in payment.attempts.items():
            if (ended == "approved") != (reference in authorized):
                yield f"attempt: {reference} of {payment.order} ended as {ended}"
            elif ended in {"open", "review"}:
                yield f"unfinished: {reference} of {payment.order} is {ended}"


def _told(told: Sequence[Told], ours: Sequence[Payment]) -> Iterable[str]:
    """A key has one answer, about the one payment of its order; and what it said has come to pass."""
    answers: dict[tuple[str, str], set[Told]] = defaultdict(set)
    of_order: dict[str, list[Payment]] = defaultdict(list)
    for payment in ours:
        of_order[payment.order].append(payment)
    for one in told:
        if one.status:
            answers[one.order, one.step].add(one)
    for order, payments in of_order.items():
        if len(payments) > 1:
            yield f"double: {order} is {len(payments)} payments"
    for key in {(one.order, one.step) for one in told} - answers.keys():
        yield f"unanswered: {key} was never answered"
    for key, given in answers.items():
        if len(given) > 1:
            yield f"divergent: {key} was answered {sorted(given)}"
        for one in given:
            found = [payment for payment in of_order[one.order] if payment.id == one.payment]
            if [payment.amount for payment in found] != [one.amount]:
                yield f"lost: {key} is not as it was asked for"
            elif not _has_come_to_pass(one, found[0]):
                yield f"broken: {key} was answered {one.status}, and is {found[0]}"


def _has_come_to_pass(told: Told, payment: Payment) -> bool:
    if told.status in {"processing", "pending", "failed", "refused"}:
        # Nothing is promised, or nothing was done.
        return True
    if told.step == "refund":
        return "approved" in payment.refunds.values()
    if (told.step, told.status) == ("pay", "requires_capture"):
        return payment.status in _AUTHORIZED
    return payment.status == told.status
