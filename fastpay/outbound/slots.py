"""A bound of what is in flight at once. Taking a free slot needs neither a coroutine nor a timer."""

import asyncio
from collections import deque
from contextlib import suppress


class Slots:
    """Whoever waits gets a slot in the order of arrival. `in_flight` are taken."""

    __slots__ = ("_count", "_waiting", "in_flight")

    def __init__(self, count: int) -> None:
        self._count = count
        self.in_flight = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    @property
    def waiting(self) -> int:
        """How many wait for a slot."""
        return len(self._waiting)

    def take(self) -> bool:
        """Take a slot, to `give`, if one is free."""
        if self.in_flight < self._count:
            self.in_flight += 1
            return True
        return False

    async def wait(self, within_s: float) -> None:
        """Wait for a slot, to `give`. Raises: TimeoutError."""
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            async with asyncio.timeout(within_s):
                await turn
        except BaseException:
            if turn.cancelled():
                with suppress(ValueError):
                    self._waiting.remove(turn)
            else:
                # It came at the same moment, and nobody uses it.
                self.give()
            raise

    def give(self) -> None:
        """Give a slot to whoever waits longest, or back."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self.in_flight -= 1
