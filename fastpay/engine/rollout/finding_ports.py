"""What comparing finds, and where it is kept."""

from collections.abc import Sequence
from typing import Literal, NamedTuple, Protocol

import msgspec

# What became of a request on a route in shadow, or of one that both sides answer. Only the first two were
# compared.
Outcome = Literal[
    "equal",
    "differing",
    # fastpay does not have an object of the legacy API that the request names.
    "absent",
    # fastpay does not know the API key.
    "stranger",
    # There was no answer that could be compared.
    "legacy_failed",
    "unanswered",
    "unreadable",
    # It was not tried: too much at once, or of a sort that is not compared.
    "dropped",
    "unsuitable",
    # What both sides have was put together, or not.
    "merged",
    "unmerged",
]
Measure = Literal["outcome", "difference", "hidden", "latency", "money"]


class RouteKey(NamedTuple):
    """A route since a change of its state."""

    change: int
    route: str


class Count(msgspec.Struct, frozen=True):
    """How often something was found on a route."""

    key: RouteKey
    measure: Measure
    name: str
    count: int


class Example(msgspec.Struct, frozen=True):
    """A difference as it may be shown: without what a client wrote.

    `number` counts those of a name from 1.
    """

    key: RouteKey
    name: str
    number: int
    request: str
    request_id: str
    legacy: str
    fastpay: str


class FindingsStore(Protocol):
    """Where findings are kept. Each raises DatabaseUnavailable and Overloaded."""

    async def add_findings(self, counts: Sequence[Count], examples: Sequence[Example]) -> None:
        """Add to what is counted, and keep a few examples of each name."""

    async def purge_findings(self, days: int) -> None:
        """Forget findings that nothing was added to for so long."""
