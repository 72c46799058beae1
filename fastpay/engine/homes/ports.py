"""What homes need from the database, from the network and from the read path."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, Protocol

import msgspec

from fastpay.domain.identifiers import Scope
from fastpay.engine.ports import Commit
from fastpay.engine.read.copy_ports import Neighbours, Seen
from fastpay.engine.write.ports import QueueingWriter


class Member(msgspec.Struct, frozen=True):
    """An instance that takes part. `socket` is reached on the same host, `address` from other hosts.

    Identifiers of older members sort first.
    """

    member_id: str
    release: str
    socket: str
    address: str | None = None


LATE = 255
# Returns an object as it is shown here, None if nothing of its tenant may be shown now.
Show = Callable[[Scope, str], Seen | None]


class Load(NamedTuple):
    """How busy the loop of a member is, in percent of a processor, and how many homes it knows of.

    `LATE` stands for a member whose commands wait for too long, however busy it is. `looks` tells whether it
    looks for what is due.
    """

    busy: int
    homes: int
    looks: bool = False


class Roll(NamedTuple):
    """The other live members of one release, and the database's time in microseconds since 1970.

    `loads` has them by member.
    """

    moment_us: int
    members: tuple[Member, ...]
    loads: Mapping[str, Load]


class MemberStore(Protocol):
    """The list of members in the database, whose time decides who is alive."""

    async def beat(self, own: Member, load: Load, report: Mapping[str, int]) -> Roll:
        """Renew our row and list the others. Raises: DatabaseUnavailable, Overloaded."""

    async def leave(self, own: Member) -> None:
        """Delete our row. Raises: DatabaseUnavailable, Overloaded."""


class Wire(Protocol):
    """A connection to another instance that carries frames in order. Nothing of it waits."""

    received: Callable[[bytes], None]
    lost: Callable[[], None]

    @property
    def is_full(self) -> bool:
        """Whether too much waits to be sent already."""

    def send(self, frame: bytes) -> None:
        """Send a frame. Once the connection is lost, nothing happens."""

    def close(self) -> None:
        """Send what waits, then close."""

    def abort(self) -> None:
        """Close at once."""


class Network(Protocol):
    """Makes connections to other instances, which prove to each other that they belong together."""

    async def listen(self, accept: Callable[[Wire], None]) -> None:
        """Accept connections. `accept` is called with each, and sets its callbacks. Raises: OSError."""

    async def connect(self, socket: str, address: str | None) -> Wire:
        """Connect to a member, on this host if that is possible. Raises: OSError, TimeoutError."""

    async def close(self) -> None:
        """Accept no more connections."""


class OwnWriter(QueueingWriter, Protocol):
    """The writer of this instance, as homes see it."""

    def counts(self) -> Mapping[str, int]:
        """Return what was counted since the start, by name."""

    def take_waited_ms(self) -> int:
        """Return how long commands have waited in the queue since the last call, at most."""


class Follower(Protocol):
    """The read path, which shows what a home has committed for a request of this instance."""

    def ask(self, neighbours: Neighbours | None) -> None:
        """Ask them for what is not cached here from now on, before the database; nobody if None."""

    def show(self, scope: Scope, identifier: str) -> Seen | None:
        """Return an object as it is shown here, None if nothing of its tenant may be shown now."""

    def holds(self, scope: Scope, identifier: str) -> bool:
        """Tell whether the object is shown here, or was until it changed."""

    def heard(self, scope: Scope, versions: Sequence[tuple[str, int]]) -> None:
        """Forget objects that have these versions now."""

    def follow(self, commits: Sequence[Commit]) -> None:
        """Apply commits of another instance, of which everything that changed is in there or was heard."""

    def advanced(self, scope: Scope, before: int, after: int) -> None:
        """Apply commits of new objects that nobody asked for here, and show nothing older than them."""

    def acknowledged(self, scope: Scope, sequence: int) -> None:
        """Show nothing older than this sequence."""
