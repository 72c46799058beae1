"""What the engine needs of a database and its replica to know how old the replica is."""

from typing import NamedTuple, Protocol

from fastpay.engine.ports import ReaderStore


class Position(NamedTuple):
    """A place in the log of a database; `history` names the log, which changes with a failover.

    Of a standby it is the place up to which it has replayed the log: it shows everything before that.
    """

    is_standby: bool
    history: str
    place: int


class ReplicaStore(ReaderStore, Protocol):
    """A primary or its replica."""

    async def read_position(self) -> Position:
        """Return the position. Raises: DatabaseUnavailable, Overloaded."""
