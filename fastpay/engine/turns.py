"""Concurrency limits for requests with long bodies. Tenants take turns.

A long body takes as long to read as a hundred short ones. Each tenant has a few slots, so that one tenant's
flood waits as bytes and is not decoded and queued only to be refused. A request holds its slot until it is
answered. Of the requests that hold one, one at a time is read.
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
    """A request that waits for a slot."""

    size: int
    called: "asyncio.Future[None]"


class Turns:
    """Hands out slots: first in, first out within a tenant, round robin between tenants."""

    def __init__(self) -> None:
        self._held: dict[Scope, int] = {}
        self._held_count = 0
        self._queues: dict[Scope, deque[_Waiting]] = {}
        self._sizes: dict[Scope, int] = {}
        self._size = 0
        self.reading = asyncio.Lock()

    @asynccontextmanager
    async def turn(self, scope: Scope, size: int) -> AsyncIterator[None]:
        """Hold a slot for the block, for a request with a body of `size` bytes.

        Raises: Overloaded if too much is waiting, or after waiting for too long.
        """
        if self._queues.get(scope) or not self._has_slot(scope):
            await self._wait(scope, size)
        else:
            self._hold(scope, 1)
        try:
            yield
        finally:
            self._hold(scope, -1)
            self._call()

    async def _wait(self, scope: Scope, size: int) -> None:
        """Wait for a slot that another request hands over."""
        own = self._sizes.get(scope, 0) + size
        if self._size + size > limits.long_waiting_bytes_max or own > limits.long_waiting_bytes_tenant_max:
            raise Overloaded(_OVERLOADED)
        waiting = _Waiting(size, asyncio.get_running_loop().create_future())
        self._queues.setdefault(scope, deque()).append(waiting)
        self._weigh(scope, size)
        try:
            async with asyncio.timeout(limits.queue_wait_ms_max / 1000):
                await waiting.called
        except BaseException as error:
            if not waiting.called.cancelled():
                # Called, and cancelled in the same turn: the slot goes to the next one.
                self._hold(scope, -1)
                self._call()
            elif waiting in self._queues.get(scope, ()):
                self._dequeue(scope, waiting)
            if isinstance(error, TimeoutError):
                raise Overloaded(_OVERLOADED) from None
            raise

    def _call(self) -> None:
        """Give free slots to waiting requests, one tenant after another."""
        for scope in list(self._queues):
            while scope in self._queues and self._queues[scope][0].called.done():
                # Cancelled, and its coroutine has not run yet: its future must not be set.
                self._dequeue(scope, self._queues[scope][0])
            if scope not in self._queues or not self._has_slot(scope):
                continue
            waiting = self._queues[scope][0]
            self._dequeue(scope, waiting)
            if scope in self._queues:
                # Moves behind the other tenants.
                self._queues[scope] = self._queues.pop(scope)
            self._hold(scope, 1)
            waiting.called.set_result(None)

    def _dequeue(self, scope: Scope, waiting: _Waiting) -> None:
        queue = self._queues[scope]
        queue.remove(waiting)
        if not queue:
            del self._queues[scope]
        self._weigh(scope, -waiting.size)

    def _has_slot(self, scope: Scope) -> bool:
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
