"""Streams that were answered before their requests were complete.

RFC 9113 8.1 asks for a reset of such a stream. Some clients lose the response when the reset comes with it,
and others wait for a window before they read. So only streams that continue for too long are reset.
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
    """The remaining bytes and time of each lingering stream, and the code for its reset."""

    def __init__(self, settings: Any) -> None:
        self._seconds = settings.linger_timeout_ms / 1000
        self._bytes_max = settings.linger_bytes_max
        self._rests: dict[int, _Rest] = {}

    def add(self, number: int, now: float, code: ErrorCodes) -> None:
        """Begin to discard what arrives for a stream."""
        self._rests[number] = _Rest(now + self._seconds, self._bytes_max, code)

    def take(self, number: int, count: int) -> bool | None:
        """Count bytes of a stream; return False if they are too many, None if the stream does not linger."""
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
        """Remove a stream; return the code for its reset if it lingered."""
        rest = self._rests.pop(number, None)
        return None if rest is None else rest.code
