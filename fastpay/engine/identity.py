"""Fresh names: the stamps that identifiers are made from, and the identifiers of requests."""

import msgspec

from fastpay.clock import Clock

_COUNT_BITS = 12
_COUNT_MAX = (1 << _COUNT_BITS) - 1
_VERSION = 7
_TAIL_BYTES = 8
_REQUEST_BYTES = 12


class Stamp(msgspec.Struct, frozen=True, gc=False):
    """A moment and what the identifiers of one command are made from (see `IdentifierSequence`).

    `moment_ms` is the one that `head` carries, so that the creation time of an object and the place of
    its identifier in a list never disagree.
    """

    moment_ms: int
    head: int
    tail: bytes


class IdentifierFactory:
    """Gives out stamps, each above all before it, whatever the clock does.

    Where the clock stands still or goes back, the last moment is used on; a moment whose count is used
    up makes way for the next millisecond. Source: RFC 9562 6.2, methods 1 and 4.
    """

    __slots__ = ("_clock", "_count", "_moment_ms")

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._moment_ms = 0
        self._count = 0

    def stamp(self) -> Stamp:
        """Return the next stamp."""
        now_ms = self._clock.now_ms()
        if now_ms > self._moment_ms:
            self._moment_ms = now_ms
            self._count = 0
        elif self._count < _COUNT_MAX:
            self._count += 1
        else:
            self._moment_ms += 1
            self._count = 0
        head = self._moment_ms << 16 | _VERSION << _COUNT_BITS | self._count
        return Stamp(self._moment_ms, head, self._clock.random_bytes(_TAIL_BYTES))

    def request_id(self) -> str:
        """Return a fresh name for a request."""
        return "req_" + self._clock.random_bytes(_REQUEST_BYTES).hex()
