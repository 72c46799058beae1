"""Streams that were answered before their requests were complete.

RFC 9113 8.1 has such a stream reset. Some clients lose the answer when the reset comes with it, others wait
for a window before they read; so the reset comes only to those that go on for too long.
"""

from typing import Any

from h2.errors import ErrorCodes


class _Rest:
    __slots__ = ("bytes_left", "code", "due")

    def __init__(self, due: float, bytes_left: int, code: ErrorCodes) -> None:
        self.due = due
        self.bytes_left = bytes_left
        self.code = code


class LingeringStreams:
    """How much is still taken of which request, until when, and how its stream is reset after that."""

    def __init__(self, settings: Any) -> None:
        self._seconds = settings.linger_timeout_ms / 1000
        self._bytes_max = settings.linger_bytes_max
        self._rests: dict[int, _Rest] = {}

    def add(self, number: int, now: float, code: ErrorCodes) -> None:
        """Begin to throw away what comes for a stream."""
        self._rests[number] = _Rest(now + self._seconds, self._bytes_max, code)

    def take(self, number: int, count: int) -> bool | None:
        """Take bytes of a stream; return False if they are too many, None if the stream does not linger."""
        rest = self._rests.get(number)
        if rest is None:
            return None
        if count > rest.bytes_left:
            return False
        rest.bytes_left -= count
        return True

    def find_overdue(self, now: float) -> list[int]:
        """Return the streams whose time is over."""
        return [number for number, rest in self._rests.items() if now >= rest.due]

    def remove(self, number: int) -> ErrorCodes | None:
        """Forget a stream; return the code that it is to be reset with, if it lingered."""
        rest = self._rests.pop(number, None)
        return None if rest is None else rest.code
