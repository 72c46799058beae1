"""Holds what clients were told against what the database says in the end, replayed by its sequence.

It knows the bank's rules by itself: fees, balances, and what each command makes happen.
"""

import bisect
from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import accumulate, pairwise
from typing import Any, Generic, TypeVar

from tests.bank.history import EVENTS, REPORTS, Change, Operation
from tests.support.fees import fee

# Whatever can be put in order: a place in the sequence, or one with the key that has it.
Value = TypeVar("Value", bound=Any)


def check(operations: Sequence[Operation], changes: Sequence[Change], *, balance: int) -> list[str]:
    """Return a line for each fault: a word for its kind, and where it shows."""
    return [
        *_gaps(changes),
        *_unhelpful(operations),
        *_divergent(operations),
        *_effects(operations, changes),
        *_reordered(operations, changes),
        *_stale(operations),
        *_balances(operations, changes, final=balance),
    ]


def _gaps(changes: Sequence[Change]) -> Iterable[str]:
    """The sequence counts from one, in steps of one."""
    for place, change in enumerate(changes, 1):
        if change.sequence != place:
            yield f"gap: event {place} in order has the sequence {change.sequence}"
            return


def _unhelpful(operations: Sequence[Operation]) -> Iterable[str]:
    """A response that leaves the outcome unknown says that the request may be sent again."""
    for operation in operations:
        if operation.result == "unknown" and operation.answer and not operation.answer.endswith(" retry"):
            yield f"unhelpful: {operation.key or operation.kind} was answered {operation.answer}"


def _divergent(operations: Sequence[Operation]) -> Iterable[str]:
    """A key has one answer, whoever asks, wherever and whenever."""
    answers: dict[str, set[tuple[str, str, str]]] = defaultdict(set)
    for operation in _answered(operations):
        answers[operation.key].add((operation.result, operation.answer, operation.request_id))
    for key, given in answers.items():
        if len(given) > 1:
            yield f"divergent: {key} was answered in {len(given)} ways: {sorted(given)}"


def _effects(operations: Sequence[Operation], changes: Sequence[Change]) -> Iterable[str]:
    """What was acknowledged is there whole and once; what was refused is not; nothing comes from nowhere."""
    caused: dict[str, list[Change]] = defaultdict(list)
    for change in changes:
        caused[change.request_id].append(change)
    asked = {operation.key: operation for operation in operations if operation.kind in EVENTS}
    keys_of = {one.request_id: one.key for one in _answered(operations) if one.result == "ok"}
    requests_of: dict[str, set[str]] = defaultdict(set)
    for request_id, own in caused.items():
        if not request_id and {change.type for change in own} <= REPORTS:
            continue
        keys = {change.key for change in own if change.key} or {keys_of.get(request_id, "")}
        if len(keys) != 1 or not keys <= asked.keys():
            yield f"phantom: {request_id} caused {[change.type for change in own]} for {sorted(keys)}"
            continue
        (key,) = keys
        requests_of[key].add(request_id)
        types = tuple(change.type for change in own)
        if types != EVENTS[asked[key].kind]:
            yield f"torn: {key} caused {types}"
        if any(change.amount != asked[key].amount for change in own if change.key):
            yield f"altered: {key} asked for {asked[key].amount}"
        if any(after.sequence - before.sequence != 1 for before, after in pairwise(own)):
            yield f"interleaved: {key} has the places {[change.sequence for change in own]}"
    for key, requests in requests_of.items():
        if len(requests) > 1:
            yield f"duplicated: {key} had its effect {len(requests)} times: {sorted(requests)}"
    for key, result, request_id in {
        (operation.key, operation.result, operation.request_id) for operation in _answered(operations)
    }:
        if result == "ok" and request_id not in requests_of[key]:
            yield f"lost: {key} was acknowledged as {request_id} and is not there"
        if result == "refused" and requests_of[key]:
            yield f"contradicted: {key} was refused and is there"


def _reordered(operations: Sequence[Operation], changes: Sequence[Change]) -> Iterable[str]:
    """What was acknowledged before another was asked for comes before it in the sequence."""
    first, last = _places(changes)
    invoked = _invoked(operations)
    acknowledged: dict[str, tuple[int, str]] = {}
    for operation in _answered(operations):
        if operation.request_id in last:
            told = (operation.ended_ns, operation.request_id)
            acknowledged[operation.key] = min(acknowledged.get(operation.key, told), told)
    known = Rising((ended, (last[request], key)) for key, (ended, request) in acknowledged.items())
    for key, (_, request) in acknowledged.items():
        before = known.highest_before(invoked[key])
        if before is not None and before[0] > first[request]:
            yield (
                f"reordered: {key} was asked for after {before[1]} was acknowledged, and stands at "
                f"{first[request]}, before its {before[0]}"
            )


def _stale(operations: Sequence[Operation]) -> Iterable[str]:
    """A client never sees a payment as it was before what the same instance has told it of it."""
    told: dict[tuple[int, int, str], list[tuple[int, int]]] = defaultdict(list)
    for operation in operations:
        if operation.progress is not None:
            place = (operation.client, operation.instance, operation.payment)
            told[place].append((operation.ended_ns, operation.progress))
    known = {place: Rising(seen) for place, seen in told.items()}
    for operation in operations:
        if operation.kind != "read" or operation.progress is None:
            continue
        place = (operation.client, operation.instance, operation.payment)
        before = known[place].highest_before(operation.invoked_ns)
        if before is not None and operation.progress < before:
            yield (
                f"stale: client {operation.client} was told of {before} for {operation.payment} by instance "
                f"{operation.instance}, and read {operation.progress} after that"
            )


def _balances(operations: Sequence[Operation], changes: Sequence[Change], *, final: int) -> Iterable[str]:
    """Every balance that was read stood at a place of the sequence where the reader can have been."""
    balances = [0]
    for change in changes:
        moved = 0
        if change.type == "payment_intent.succeeded":
            moved = change.amount - fee(change.amount)
        elif change.type in {"refund.created", "transfer.created"}:
            moved = -change.amount
        balances.append(balances[-1] + moved)
    if balances[-1] != final:
        yield f"unbalanced: the changes add up to {balances[-1]}, the balance is {final}"
    first, last = _places(changes)
    told: dict[tuple[int, int], list[tuple[int, int]]] = defaultdict(list)
    firsts: dict[str, int] = {}
    for operation in _answered(operations):
        if operation.request_id in last:
            told[operation.client, operation.instance].append(
                (operation.ended_ns, last[operation.request_id])
            )
            firsts[operation.key] = first[operation.request_id]
    known = {place: Rising(seen) for place, seen in told.items()}
    # Negated, so that the highest before is the lowest after.
    to_come = Rising((-moment, -firsts[key]) for key, moment in _invoked(operations).items() if key in firsts)
    # A balance is as of the end of a command, never of its middle.
    whole = {0, *last.values()}
    for operation in operations:
        if operation.balance is None:
            continue
        own = known.get((operation.client, operation.instance))
        lowest = (own.highest_before(operation.invoked_ns) if own is not None else None) or 0
        after = to_come.highest_before(-operation.ended_ns)
        highest = len(changes) if after is None else -after - 1
        if operation.balance not in {
            balances[place] for place in range(lowest, highest + 1) if place in whole
        }:
            yield (
                f"impossible: client {operation.client} read the balance {operation.balance}, which never "
                f"stood between {lowest} and {highest}"
            )


class Rising(Generic[Value]):
    """Values that became known at moments: tells the highest of those known before a moment."""

    def __init__(self, known: Iterable[tuple[int, Value]]) -> None:
        ordered = sorted(known)
        self._moments = [moment for moment, _ in ordered]
        self._highest = list(accumulate((value for _, value in ordered), max))

    def highest_before(self, moment: int) -> Value | None:
        """Return it, None where nothing was known."""
        count = bisect.bisect_left(self._moments, moment)
        return self._highest[count - 1] if count else None


def _answered(operations: Iterable[Operation]) -> Iterable[Operation]:
    """Return the commands that were told what became of them."""
    return (
        operation for operation in operations if operation.kind in EVENTS and operation.result != "unknown"
    )


def _invoked(operations: Iterable[Operation]) -> dict[str, int]:
    """Return when each key was first asked for."""
    moments: dict[str, int] = {}
    for operation in operations:
        if operation.kind in EVENTS:
            moments[operation.key] = min(
                moments.get(operation.key, operation.invoked_ns), operation.invoked_ns
            )
    return moments


def _places(changes: Iterable[Change]) -> tuple[dict[str, int], dict[str, int]]:
    """Return the first and the last place that each request has in the sequence."""
    first: dict[str, int] = {}
    last: dict[str, int] = {}
    for change in changes:
        first.setdefault(change.request_id, change.sequence)
        last[change.request_id] = change.sequence
    return first, last
