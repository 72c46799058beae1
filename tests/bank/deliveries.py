"""Holds what webhook endpoints received against the events, and against what clients were told of it."""

import hashlib
import itertools
import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

import msgspec

from fastpay.domain import events
from tests.bank.history import Change, Operation


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt as the receiver saw it.

    `hook` is the first part of its path. `at_ns` is of the machine's monotonic clock.
    """

    hook: str
    sequence: int
    previous: int
    content: str
    is_acknowledged: bool
    at_ns: int


def read(log: Path) -> list[Delivery]:
    """Return what a receiver has written down, in the order in which it came."""
    lines = log.read_text(encoding="utf-8").splitlines(keepends=True)
    return [_delivery(json.loads(line)) for line in lines if line.endswith("\n")]


def check(
    operations: Sequence[Operation],
    changes: Sequence[Change],
    deliveries: Iterable[Delivery],
    *,
    complete: Collection[str],
) -> list[str]:
    """Return a line for each fault. `complete` are the hooks that must have received everything by now."""
    seen = [change.sequence for change in changes if change.type in events.TYPES]
    received: dict[str, list[Delivery]] = defaultdict(list)
    for delivery in deliveries:
        received[delivery.hook].append(delivery)
    faults: list[str] = []
    made = {one.hook: one for one in operations if one.kind == "subscribe" and one.result == "ok"}
    for hook, subscribed in made.items():
        start = subscribed.start or 0
        wanted = [sequence for sequence in seen if sequence > start]
        own = received.pop(hook, [])
        first = _first_acknowledged(own)
        faults += [
            *_contents(hook, own, start, wanted),
            *_claims(hook, operations, first, wanted),
            *(_order(hook, first) if subscribed.is_strict else ()),
        ]
        if hook in complete and (missing := [one for one in wanted if one not in first]):
            faults.append(f"undelivered: {hook} never acknowledged {missing[:9]} of {len(wanted)}")
    faults += [f"stray: {hook} received {len(own)} without an endpoint" for hook, own in received.items()]
    return faults


def _contents(hook: str, own: Sequence[Delivery], start: int, wanted: Sequence[int]) -> Iterable[str]:
    """Every attempt of an event has the same bytes, and the number of the event before it."""
    before = dict(zip(wanted, (start, *wanted), strict=False))
    contents: dict[int, str] = {}
    for one in own:
        if one.sequence not in before:
            yield f"unwanted: {hook} received {one.sequence}, and begins behind {start}"
        elif one.previous != before[one.sequence]:
            yield f"hole: {hook} received {one.sequence} after {one.previous}, not {before[one.sequence]}"
        if contents.setdefault(one.sequence, one.content) != one.content:
            yield f"unlike: {hook} received {one.sequence} with other bytes"


def _claims(
    hook: str, operations: Iterable[Operation], first: dict[int, int], wanted: Sequence[int]
) -> Iterable[str]:
    """`delivered_through` covers only what was acknowledged by then, and never goes back."""
    told: list[Operation] = [one for one in operations if one.hook == hook and one.through is not None]
    highest, ended_ns = 0, 0
    for one in sorted(told, key=lambda one: one.ended_ns):
        through = one.through or 0
        missing = [
            number
            for number in wanted
            if number <= through and first.get(number, one.ended_ns) >= one.ended_ns
        ]
        if missing:
            yield f"overclaimed: {hook} is said to have all up to {through}, without {missing[:9]}"
        if one.invoked_ns > ended_ns and through < highest:
            yield f"receded: {hook} is said to have all up to {through} after {highest}"
        highest, ended_ns = max(highest, through), one.ended_ns


def _order(hook: str, first: dict[int, int]) -> Iterable[str]:
    """A strict endpoint acknowledges an event for the first time only after all before it."""
    late = [after for before, after in itertools.pairwise(first) if after < before]
    if late:
        yield f"unordered: {hook} acknowledged {late[0]} after a later one"


def _first_acknowledged(own: Iterable[Delivery]) -> dict[int, int]:
    """Return when each event was first acknowledged, in that order."""
    first: dict[int, int] = {}
    for one in own:
        if one.is_acknowledged:
            first.setdefault(one.sequence, one.at_ns)
    return first


def _delivery(line: dict[str, object]) -> Delivery:
    headers, body = line["headers"], str(line["body"])
    assert isinstance(headers, dict)
    content = headers["webhook-id"] + hashlib.blake2b(body.encode(), digest_size=8).hexdigest()
    return Delivery(
        # What follows is another with each change of the URL.
        hook=str(line["path"]).split("/")[1],
        sequence=int(headers["fastpay-sequence"]),
        previous=int(headers["fastpay-previous-sequence"]),
        content=content,
        is_acknowledged=bool(line["ok"]),
        at_ns=int(float(str(line["at"])) * 1e9),
    )
