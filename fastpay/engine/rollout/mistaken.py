"""Objects of the legacy API whose identifiers look like this server's.

Who has an object is told by its identifier alone (`choice.py`). If the legacy API makes identifiers of the
same form, requests that name its objects come here, and are told that there is no such object. So on each
route an answer of the legacy API is looked at once a second. What is found is kept until an operator says
that it is over, and until then no route can be split.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, Protocol

import msgspec

from fastpay import limits
from fastpay.domain.identifiers import prefix_of
from fastpay.domain.kinds import ACCOUNT, STORED
from fastpay.engine.rollout.choice import FASTPAY, owner_of
from fastpay.observability import telemetry

_log = telemetry.Log("fastpay.rollout")
# Of these it can be asked whether they are here. Of a tenant's account there is one, which is not stored.
_PREFIXES = STORED.keys() - {ACCOUNT.prefix}


class MistakenStore(Protocol):
    """Where it is kept. Raises DatabaseUnavailable and Overloaded."""

    async def add_mistaken(self, identifiers: Sequence[str], route: str) -> None:
        """Note objects of the legacy API, one of each prefix."""


class MistakenIdentifiers:
    """Tells of identifiers that are taken for ours."""

    def __init__(self, store: MistakenStore, now_ns: Callable[[], int]) -> None:
        self._store = store
        self._now_ns = now_ns
        self._looked: dict[str, int] = {}
        self._told: dict[str, int] = {}
        self._count = 0

    def counts(self) -> Mapping[str, int]:
        """Return how many answers had such an identifier, since the start."""
        return {"rollout_mistaken": self._count}

    def is_due(self, route: str) -> bool:
        """Tell whether an answer on a route is to be looked at. Then the next one is not."""
        return self._is_time(self._looked, route, limits.mistaken_interval_ms)

    async def found(self, route: str, identifiers: Collection[str]) -> None:
        """Note identifiers of an answer, none of which is here. Raises: DatabaseUnavailable, Overloaded."""
        self._count += 1
        by_prefix = {prefix_of(one): one for one in identifiers}
        for prefix, identifier in by_prefix.items():
            if self._is_time(self._told, prefix, limits.mistaken_told_ms):
                _log.error("legacy_identifier_confused", route=route, identifier=identifier)
        await self._store.add_mistaken([*by_prefix.values()], route)

    def _is_time(self, times: dict[str, int], name: str, interval_ms: int) -> bool:
        """Tell whether it was last time for this name so long ago, or never; then it is now."""
        now_ns = self._now_ns()
        last_ns = times.get(name)
        if last_ns is not None and now_ns - last_ns < interval_ms * 1_000_000:
            return False
        times[name] = now_ns
        return True


def like_ours(body: bytes) -> list[str]:
    """Return the identifiers of objects in an answer that look like this server's, up to a number.

    Only what an object itself is called counts: metadata, and references to objects of the other side, may
    name anything.
    """
    try:
        found = _objects(msgspec.json.decode(body))
        names = dict.fromkeys(
            one for one in found if prefix_of(one) in _PREFIXES and owner_of(one) == FASTPAY
        )
    except (msgspec.DecodeError, RecursionError):
        return []
    return [*names][: limits.mistaken_identifiers_max]


def _objects(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        identifier = value.get("id")
        if isinstance(identifier, str) and isinstance(value.get("object"), str):
            yield identifier
        for name, inner in value.items():
            if name != "metadata":
                yield from _objects(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _objects(inner)
