"""One page, or one balance, of what both sides have. Pure.

A merged list is newest first by `created`. In the same second, what fastpay made comes before what the legacy
API made, and each side keeps its own order. So an object has one place in the list, whatever the page.

Each side is asked for a whole page next to the cursor. If it has more, nothing beyond the last object that it
gave may be shown yet: its next ones could belong there.
"""

import heapq
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

import msgspec

from fastpay.engine.rollout.choice import FASTPAY, Side
from fastpay.errors import LegacyUnmergeable

# What is added in a balance; of everything else, fastpay's own counts, and then what only the other side has.
_ADDED = ("available", "connect_reserved", "instant_available", "pending")


class Item(NamedTuple):
    """An object in a list, as its side shows it."""

    created: int
    identifier: str
    body: msgspec.Raw


class Part(NamedTuple):
    """Some objects of a list, newest first, and whether there are more in the direction of the page."""

    items: Sequence[Item]
    has_more: bool


class Window(NamedTuple):
    """Objects from one second until before another one. None is no bound."""

    since: int | None = None
    until: int | None = None

    def within(self, other: "Window") -> "Window":
        """Return what is in both."""
        since = [one for one in (self.since, other.since) if one is not None]
        until = [one for one in (self.until, other.until) if one is not None]
        return Window(max(since, default=None), min(until, default=None))

    def has(self, created: int) -> bool:
        """Tell whether a second is in it."""
        return (self.since is None or created >= self.since) and (self.until is None or created < self.until)


class _Head(msgspec.Struct):
    id: str
    created: int


class _Listed(msgspec.Struct):
    data: list[msgspec.Raw]
    has_more: bool = False


class _Line(msgspec.Struct, omit_defaults=True):
    amount: int
    currency: str
    source_types: dict[str, int] | msgspec.UnsetType = msgspec.UNSET
    net_available: list[msgspec.Raw] = []


def beside(side: Side, created: int, *, backward: bool) -> Window:
    """Return when a side made what comes behind a cursor, or before it if the page goes `backward`.

    `created` is when the other side made the object of the cursor.
    """
    edge = created if side == FASTPAY else created + 1
    return Window(since=edge) if backward else Window(until=edge)


def merge(fastpay: Part, legacy: Part, *, limit: int, backward: bool) -> Part:
    """Return a page of both: the objects that are nearest to the cursor."""
    # Of equal ones, those of the first argument come first, and each side stays in its order.
    merged = list(heapq.merge(fastpay.items, legacy.items, key=lambda item: -item.created))
    end = limit
    for part in (fastpay, legacy):
        if part.has_more:
            end = min(end, _reach(merged, part, backward=backward))
    has_more = fastpay.has_more or legacy.has_more or len(merged) > end
    return Part(merged[max(0, len(merged) - end) :] if backward else merged[:end], has_more)


def read_list(body: bytes, window: Window) -> Part:
    """Return what the legacy API lists. Raises: LegacyUnmergeable if its place among others is not known."""
    try:
        part = read_own_list(body)
    except (msgspec.DecodeError, RecursionError) as error:
        raise LegacyUnmergeable("The older API's list has no objects with id and created.") from error
    items = part.items
    if any(later.created > one.created for one, later in pairwise(items)):
        raise LegacyUnmergeable("The older API's list is not newest first.")
    if not all(window.has(one.created) for one in items):
        raise LegacyUnmergeable("The older API takes no notice of created[gte] or created[lt].")
    if part.has_more and not items:
        raise LegacyUnmergeable("The older API says that there is more, and shows nothing.")
    return part


def read_own_list(body: bytes) -> Part:
    """Return what this server lists."""
    listed = msgspec.json.decode(body, type=_Listed)
    heads = [msgspec.json.decode(one, type=_Head) for one in listed.data]
    items = [Item(head.created, head.id, one) for head, one in zip(heads, listed.data, strict=True)]
    return Part(items, listed.has_more)


def read_created(body: bytes) -> int:
    """Return when an object of the legacy API was made. Raises: LegacyUnmergeable."""
    try:
        return msgspec.json.decode(body, type=_Head).created
    except (msgspec.DecodeError, RecursionError) as error:
        raise LegacyUnmergeable(
            "The older API does not say when the object of the cursor was made."
        ) from error


def add_balances(fastpay: bytes, legacy: bytes) -> dict[str, object]:
    """Return the sum of two balances, by currency and by type of source. Raises: LegacyUnmergeable."""
    own = msgspec.json.decode(fastpay, type=dict[str, msgspec.Raw])
    try:
        other = msgspec.json.decode(legacy, type=dict[str, msgspec.Raw])
        if other.get("livemode", own["livemode"]) != own["livemode"]:
            raise LegacyUnmergeable("The older API's balance is of another mode.")
        added = {name: _sum(own, other, name) for name in _ADDED if name in own or name in other}
    except (msgspec.DecodeError, RecursionError) as error:
        raise LegacyUnmergeable("The older API's balance is none.") from error
    return {**other, **own, **added}


def _reach(merged: Sequence[Item], part: Part, *, backward: bool) -> int:
    """Return how many objects of a page are known, if a side has more than it gave."""
    if not part.items:
        return 0
    furthest = part.items[0] if backward else part.items[-1]
    place = next(place for place, item in enumerate(merged) if item is furthest)
    return len(merged) - place if backward else place + 1


def _sum(own: Mapping[str, msgspec.Raw], other: Mapping[str, msgspec.Raw], name: str) -> list[_Line]:
    """Return the amounts of both sides, a line a currency."""
    lines: dict[str, _Line] = {}
    for balance in (own, other):
        for line in msgspec.json.decode(balance.get(name, b"[]"), type=list[_Line]):
            kept = lines.get(line.currency)
            lines[line.currency] = line if kept is None else _added(kept, line)
    return [lines[currency] for currency in sorted(lines)]


def _added(one: _Line, other: _Line) -> _Line:
    types = [
        line.source_types for line in (one, other) if not isinstance(line.source_types, msgspec.UnsetType)
    ]
    return _Line(
        one.amount + other.amount,
        one.currency,
        {kind: _total(types, kind) for kind in sorted(frozenset().union(*types))} if types else msgspec.UNSET,
        [*one.net_available, *other.net_available],
    )


def _total(types: Iterable[Mapping[str, int]], kind: str) -> int:
    return sum(amounts.get(kind, 0) for amounts in types)
