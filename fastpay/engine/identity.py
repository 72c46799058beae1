"""Stamps, which identifiers are made from, and identifiers of requests."""

import msgspec

from fastpay import limits
from fastpay._native.identifiers import IdentifierSequence
from fastpay.clock import Clock
from fastpay.errors import ClockSkewed

_COUNT_BITS = 12
_COUNT_MAX = (1 << _COUNT_BITS) - 1
_VERSION = 7 << _COUNT_BITS
# What one millisecond comes to in a head. Beyond 30 bits CPython multiplies faster than it shifts.
_MOMENT = 1 << 16
_TAIL_BYTES = 8
_REQUEST_BYTES = 12


class Stamp(msgspec.Struct, frozen=True, gc=False):
    """What the identifiers of one command are made from (see `IdentifierSequence`).

    `head` holds `moment_ms`, so that the creation time of an object agrees with its position in a list.
    """

    moment_ms: int
    head: int
    tail: bytes


class IdentifierFactory:
    """Makes stamps, each greater than the one before, unless the clock goes back a long way.

    While the clock stands still or is a little behind, the last moment is used again with a higher count.
    When the count of a moment is used up, the next millisecond is used. A clock that goes back by more than
    `identifiers_ahead_ms_max` was wrong before: stamps return to the right time, and only their random tails
    keep them apart from earlier ones of the same moment. Source: RFC 9562 6.2, methods 1 and 4.
    """

    __slots__ = ("_count", "_moment_ms", "_now_ms", "_random_bytes", "_reason")

    def __init__(self, clock: Clock) -> None:
        # Bound directly: every request uses these.
        self._now_ms, self._random_bytes = clock.now_ms, clock.random_bytes
        self._moment_ms = 0
        self._count = 0
        # Why no stamps are made now, None while they are.
        self._reason: str | None = None

    def suspend(self, reason: str) -> None:
        """Refuse to make stamps, because the time is in doubt."""
        self._reason = reason

    def resume(self) -> None:
        """Make stamps again."""
        self._reason = None

    def require(self) -> None:
        """Raise ClockSkewed if stamps are suspended."""
        if self._reason is not None:
            raise ClockSkewed(self._reason)

    def fault(self) -> ClockSkewed | None:
        """Return why no stamps are made, None while they are."""
        return None if self._reason is None else ClockSkewed(self._reason)

    def stamp(self) -> Stamp:
        """Return the next stamp. Raises: ClockSkewed."""
        if self._reason is not None:
            raise ClockSkewed(self._reason)
        now_ms, moment_ms, count = self._now_ms(), self._moment_ms, 0
        if now_ms > moment_ms or now_ms < moment_ms - limits.identifiers_ahead_ms_max:
            self._moment_ms = moment_ms = now_ms
        elif self._count < _COUNT_MAX:
            count = self._count + 1
        else:
            self._moment_ms = moment_ms = moment_ms + 1
        self._count = count
        return Stamp(moment_ms, moment_ms * _MOMENT + (_VERSION | count), self._random_bytes(_TAIL_BYTES))

    def identifier(self, prefix: str) -> str:
        """Return an identifier that no command makes: its stamp is for it alone.

        Raises: ClockSkewed.
        """
        stamp = self.stamp()
        return IdentifierSequence(stamp.head, stamp.tail).next(prefix)

    def request_id(self) -> str:
        """Return a random identifier for a request."""
        return "req_" + self._random_bytes(_REQUEST_BYTES).hex()
