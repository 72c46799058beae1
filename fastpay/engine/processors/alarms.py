"""Calls something back after a time that is the same for all, with one timer.

A timer for each call to a processor, and for each request that waits for one, would cost more than all else
that looks after them. Since all wait equally long, one timer looks at the oldest.
"""

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar

_Item = TypeVar("_Item")

# Event loops round times: a timer for what is left of a millisecond would come at once, again and again.
_RESOLUTION_S = 0.001


class Alarms(Generic[_Item]):
    """Calls `ring` with each item that was not removed within `seconds`, on the event loop that runs now."""

    __slots__ = ("_due", "_loop", "_ring", "_seconds", "_timer")

    def __init__(self, seconds: float, ring: Callable[[_Item], object]) -> None:
        self._loop = asyncio.get_running_loop()
        self._seconds = seconds
        self._ring = ring
        # When it rings for each item, a time of the loop. The oldest comes first.
        self._due: dict[_Item, float] = {}
        self._timer: asyncio.TimerHandle | None = None

    def add(self, item: _Item) -> None:
        """Begin the time of an item."""
        self._due[item] = self._loop.time() + self._seconds
        if self._timer is None:
            self._timer = self._loop.call_later(self._seconds, self._look)

    def remove(self, item: _Item) -> None:
        """Forget an item, if it has not rung yet."""
        self._due.pop(item, None)

    def __contains__(self, item: _Item) -> bool:
        """Tell whether an item has neither rung nor been removed."""
        return item in self._due

    def close(self) -> None:
        """Ring no more."""
        if self._timer is not None:
            self._timer.cancel()

    def _look(self) -> None:
        """Ring for the items that are due, and come again when the next one is."""
        self._timer = None
        while self._due:
            item, due = next(iter(self._due.items()))
            left_s = due - self._loop.time()
            if left_s > 0:
                self._timer = self._loop.call_later(max(left_s, _RESOLUTION_S), self._look)
                return
            del self._due[item]
            self._ring(item)
