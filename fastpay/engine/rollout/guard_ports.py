"""What guardrails know of a split route, and where it is kept."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

import msgspec

from fastpay.domain.identifiers import Scope
from fastpay.engine.rollout.evidence import Evidence
from fastpay.engine.rollout.finding_ports import RouteKey

# How customers were drawn. It has evidence as the metrics have, and rolls nothing back.
SAMPLE = "sample"


class Kept(msgspec.Struct, frozen=True):
    """What is known of one metric of a route since its state was set."""

    key: RouteKey
    metric: str
    evidence: Evidence


class Moved(NamedTuple):
    """What an answer says was moved: `type` is charge or refund, `source` the charge or the refund.

    `is_capture` tells that the charge was authorized before, at any time.
    """

    scope: Scope
    source: str
    type: str
    currency: str
    amount: int
    is_capture: bool = False


class BookStore(Protocol):
    """The ledger."""

    async def read_booked(self, moved: Sequence[Moved]) -> Mapping[tuple[str, str], Mapping[str, int]]:
        """Return what was moved, by source and type, and by currency.

        Raises: DatabaseUnavailable, Overloaded.
        """


class GuardStore(Protocol):
    """Each raises DatabaseUnavailable and Overloaded."""

    async def read_evidence(self, changes: Sequence[int]) -> Sequence[Kept]:
        """Return what is known of routes since these changes."""

    async def keep_evidence(self, kept: Sequence[Kept]) -> Sequence[tuple[RouteKey, str]]:
        """Replace what is known, each only if it is of one block less; return what was replaced."""

    async def find_charged_twice(self, seconds: int) -> int:
        """Return how many idempotency keys of the last seconds have a first answer here and are legacy's."""

    async def roll_back(self, key: RouteKey, reason: str) -> bool:
        """Let the legacy API answer a route, if it still is as that change set it. Tell whether it was."""
