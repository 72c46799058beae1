"""Turns for requests with long bodies: few are read and carried out at a time, and tenants alternate.

A long body takes as long to read as a hundred short ones. Every tenant has a few places, so that one tenant's
flood waits in line as bytes, and is not decoded and queued only to be refused. A place is held until the
request is answered. Of those that hold one, one at a time is read.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec

from fastpay import limits
from fastpay.domain.identifiers import Scope
from fastpay.errors import Overloaded

_OVERLOADED = "Too many long requests are waiting. Try again in a moment, with fewer at a time."


class _Waiting(msgspec.Struct, eq=False):
    """A request in line."""

    size: int
    called: "asyncio.Future[None]"


class Turns:
    """Gives out places. Within a tenant first come, first served; tenants are called in turn."""

    def __init__(self) -> None:
        self._held: dict[Scope, int] = {}
        self._held_count = 0
        self._lines: dict[Scope, deque[_Waiting]] = {}
        self._sizes: dict[Scope, int] = {}
        self._size = 0
        self.reading = asyncio.Lock()

    @asynccontextmanager
    async def turn(self, scope: Scope, size: int) -> AsyncIterator[None]:
        """Hold a place for the block, for a request with a body of so many bytes.

        Raises: Overloaded where too much waits already, or for too long.
        """
        if self._lines.get(scope) or not self._has_place(scope):
            await self._wait(scope, size)
        else:
            self._hold(scope, 1)
        try:
            yield
        finally:
            self._hold(scope, -1)
            self._call()

    async def _wait(self, scope: Scope, size: int) -> None:
        """Return with a place that whoever left has handed over."""
        own = self._sizes.get(scope, 0) + size
        if self._size + size > limits.long_waiting_bytes_max or own > limits.long_waiting_bytes_tenant_max:
            raise Overloaded(_OVERLOADED)
        waiting = _Waiting(size, asyncio.get_running_loop().create_future())
        self._lines.setdefault(scope, deque()).append(waiting)
        self._weigh(scope, size)
        try:
            async with asyncio.timeout(limits.queue_wait_ms_max / 1000):
                await waiting.called
        except BaseException as error:
            if not waiting.called.cancelled():
                # Called and gone at once: the next one has the place.
                self._hold(scope, -1)
                self._call()
            elif waiting in self._lines.get(scope, ()):
                self._leave_line(scope, waiting)
            if isinstance(error, TimeoutError):
                raise Overloaded(_OVERLOADED) from None
            raise

    def _call(self) -> None:
        """Give free places to those who wait, one tenant after another."""
        for scope in list(self._lines):
            while scope in self._lines and self._lines[scope][0].called.done():
                # Cancelled, and about to leave: whoever answers now must not meet it.
                self._leave_line(scope, self._lines[scope][0])
            if scope not in self._lines or not self._has_place(scope):
                continue
            waiting = self._lines[scope][0]
            self._leave_line(scope, waiting)
            if scope in self._lines:
                # Behind the others until its next turn.
                self._lines[scope] = self._lines.pop(scope)
            self._hold(scope, 1)
            waiting.called.set_result(None)

    def _leave_line(self, scope: Scope, waiting: _Waiting) -> None:
        line = self._lines[scope]
        line.remove(waiting)
        if not line:
            del self._lines[scope]
        self._weigh(scope, -waiting.size)

    def _has_place(self, scope: Scope) -> bool:
        has_own = self._held.get(scope, 0) < limits.long_requests_tenant_max
        return has_own and self._held_count < limits.long_requests_max

    def _hold(self, scope: Scope, count: int) -> None:
        self._held_count += count
        held = self._held.get(scope, 0) + count
        if held:
            self._held[scope] = held
        else:
            self._held.pop(scope, None)

    def _weigh(self, scope: Scope, size: int) -> None:
        self._size += size
        left = self._sizes.get(scope, 0) + size
        if left:
            self._sizes[scope] = left
        else:
            self._sizes.pop(scope, None)
