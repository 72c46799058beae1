"""What the relay needs from the store: leases, and the state of deliveries."""

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple, Protocol

import msgspec

from fastpay.domain.identifiers import LOWEST
from fastpay.engine.relay.ports import Attempt, EndpointName


class Spread(NamedTuple):
    """How many endpoints are enabled, and how many of them each live instance holds.

    `disabled` is how many others this instance still holds.
    """

    endpoints: int
    held: Mapping[str, int]
    disabled: int = 0

    @property
    def has_free(self) -> bool:
        """Whether there is an endpoint that no live instance holds."""
        return self.endpoints > sum(self.held.values())


class Parked(NamedTuple):
    """A stored exception: an event that the position has passed without an acknowledgement."""

    sequence: int
    previous: int
    object_digits: str
    attempts: int
    due_ms: int


class Lease(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """An endpoint that this instance reads for, under a fencing number, with its state as it was stored.

    `position` is None if nobody has read for it yet. `replayed` are the digits of the last replay that has
    ended, and `replayed_through` is how far the one after it has come. `generation` is that of the
    exceptions, and `changes` is how many there were in it.
    """

    name: EndpointName
    fence: int
    position: int | None = None
    previous: int = 0
    failures: int = 0
    failing_since_ms: int | None = None
    resume_ms: int = 0
    replayed: str = LOWEST
    replayed_through: int = 0
    parked: tuple[Parked, ...] = ()
    generation: int = 0
    changes: int = 0


class Record(NamedTuple):
    """What became of an endpoint's deliveries since the last record. `removed` are no exceptions any more.

    `version` is that of the endpoint. Under another `generation` than before, `kept` are all exceptions.
    """

    name: EndpointName
    fence: int
    position: int
    previous: int
    failures: int
    failing_since_ms: int | None
    resume_ms: int
    replayed: str
    replayed_through: int
    version: int
    generation: int
    changes: int
    delivered_through: int
    kept: Sequence[Parked] = ()
    removed: Sequence[int] = ()


class MadeAttempt(NamedTuple):
    """An attempt to be kept for the operator."""

    name: EndpointName
    attempt: Attempt


class Watched(NamedTuple):
    """An endpoint that this instance holds and that there is something to do for.

    `sequence` is that of its tenant, `version` its own. `has_replay` says that a replay was asked for.
    """

    name: EndpointName
    sequence: int
    version: int
    has_replay: bool


class Claims(Protocol):
    """Which endpoints an instance holds. Each method raises DatabaseUnavailable or Overloaded.

    A lease belongs to an instance for as long as that renews its own row (`LeaseStore.beat`), and until
    another one has taken it over under the next fencing number.
    """

    async def claim(self, instance_id: str, count: int) -> Sequence[Lease]:
        """Take over up to so many endpoints that are enabled and that no live instance holds."""

    async def list_held(self, instance_id: str) -> Collection[tuple[EndpointName, int]]:
        """Return the endpoints that this instance holds, with their fencing numbers."""

    async def release(self, instance_id: str, names: Sequence[EndpointName]) -> None:
        """Let others take these endpoints over."""


class LeaseStore(Claims, Protocol):
    """The state of deliveries. Each method raises DatabaseUnavailable or Overloaded."""

    async def beat(self, instance_id: str) -> Spread:
        """Renew the row of this instance, and return who holds what."""

    async def watch(self, instance_id: str) -> Sequence[Watched]:
        """Return the endpoints of this instance that there is something to do for."""

    async def record(
        self, instance_id: str, records: Sequence[Record], attempts: Sequence[MadeAttempt]
    ) -> Collection[tuple[EndpointName, int]]:
        """Store states, and attempts to the same endpoints.

        Return those which this instance still holds, with their fencing numbers. Of the others nothing is
        stored.
        """

    async def leave(self, instance_id: str) -> None:
        """Let others take everything over, and delete the row of this instance."""

    async def make_partitions(self) -> None:
        """Make partitions for the attempts of the next days."""

    async def drop_partitions(self, *, retention_days: int) -> None:
        """Drop the partitions that are too old, but for those that somebody reads now."""
