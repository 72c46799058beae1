"""The connected peers: for each client address its connections, and which of them to close first."""

from collections.abc import Callable

from fastpay._native.wheel import Node

class Member(Node):
    """A connection as its peer sees it."""

class Guest(Member):
    """A member that calls functions without arguments; for protocols that are not compiled.

    `on_evict` must close the connection and leave the peers before it returns.
    """

    on_expire: Callable[[], object]
    on_evict: Callable[[], object]
    def __init__(self, on_expire: Callable[[], object], on_evict: Callable[[], object]) -> None: ...

class Peer:
    """One client address, or a group of addresses that counts as one.

    `is_exempt` is True for a trusted proxy, to which no bounds for one address apply.
    """

    name: str
    connections: int
    is_exempt: bool

class Peers:
    """All peers that have a connection."""

    def __init__(self, connections_max: int, is_exempt: Callable[[str | None], bool]) -> None: ...
    def __len__(self) -> int:
        """Return how many peers have a connection."""

    def get(self, name: str) -> Peer | None:
        """Return the peer of this name if it has a connection."""

    def find_or_make(self, name: str, host: str | None) -> Peer:
        """Return the peer of this name. `host` is the address that tells whether a new one is exempt."""

    def enter(self, member: Member, peer: Peer) -> None:
        """Count a connection of a peer. It is waiting until `note_working` is called."""

    def exit(self, member: Member) -> None:
        """Stop counting a connection; does nothing if it is not counted."""

    def note_waiting(self, member: Member) -> None:
        """Mark a connection as waiting: it may be closed to make room.

        One that was waiting already keeps its position.
        """

    def note_working(self, member: Member) -> None:
        """Mark a connection as working: one of its requests is being answered."""

    def make_room(self) -> bool:
        """Close the longest waiting connection of the peer with the most; return False if there is none."""
