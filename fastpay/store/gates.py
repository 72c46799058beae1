"""Slots for reads, which tenants get in turns: the load of one tenant does not delay the turn of another."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastpay import limits
from fastpay.errors import Overloaded, RateLimited

_LIMITED = "Too many requests of this kind are waiting for this account. Try again in a moment."
_OVERLOADED = "Too many requests are waiting. Try again in a moment."


class Gate:
    """Admits at most `slots` reads at a time, and at most `tenant_slots` of one tenant.

    At most `tenant_waiting_max` reads of a tenant wait. Tenants take turns; within a tenant it is first come,
    first served.
    """

    def __init__(self, *, slots: int, tenant_slots: int, tenant_waiting_max: int) -> None:
        assert 1 <= tenant_slots <= slots
        self._free = slots
        self._tenant_slots = tenant_slots
        self._tenant_waiting_max = tenant_waiting_max
        # If one tenant cannot have all slots, a wait at its limit is its own doing.
        self._is_shared = tenant_slots < slots
        self._running: dict[str, int] = {}
        # In the order of turns. No one in a line could be admitted now.
        self._lines: dict[str, deque[asyncio.Future[None]]] = {}
        self._waiting = 0

    @asynccontextmanager
    async def enter(self, tenant: str, *, until: float) -> AsyncIterator[None]:
        """Hold a slot for the block. The slot must come by `until`, a time of the loop.

        Raises: RateLimited if the tenant has too many reads; Overloaded if all tenants together have too
        many; TimeoutError if one tenant may have all slots, since then the reads themselves are slow.
        """
        if self._free and self._may_run(tenant) and tenant not in self._lines:
            self._take(tenant)
        else:
            await self._wait(tenant, until)
        try:
            yield
        finally:
            self._release(tenant)

    def _may_run(self, tenant: str) -> bool:
        return self._running.get(tenant, 0) < self._tenant_slots

    def _take(self, tenant: str) -> None:
        self._free -= 1
        self._running[tenant] = self._running.get(tenant, 0) + 1

    async def _wait(self, tenant: str, until: float) -> None:
        """Wait for a slot, and return with it."""
        line = self._lines.get(tenant)
        if line is not None and len(line) >= self._tenant_waiting_max:
            raise RateLimited(_LIMITED)
        if self._waiting >= limits.queued_reads_max:
            raise Overloaded(_OVERLOADED)
        if line is None:
            line = self._lines[tenant] = deque()
        slot: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        line.append(slot)
        self._waiting += 1
        try:
            async with asyncio.timeout_at(until):
                await slot
        except BaseException as error:
            if slot.done() and not slot.cancelled():
                # The slot came in the same turn of the loop as the timeout or cancellation.
                self._release(tenant)
            else:
                self._leave(tenant, slot)
            if not isinstance(error, TimeoutError) or not self._is_shared:
                raise
            if not self._may_run(tenant):
                raise RateLimited(_LIMITED) from error
            raise Overloaded(_OVERLOADED) from error
        finally:
            self._waiting -= 1

    def _leave(self, tenant: str, slot: "asyncio.Future[None]") -> None:
        line = self._lines.get(tenant)
        if line is not None and slot in line:
            line.remove(slot)
            if not line:
                del self._lines[tenant]

    def _release(self, tenant: str) -> None:
        self._free += 1
        self._running[tenant] -= 1
        if not self._running[tenant]:
            del self._running[tenant]
        self._serve()

    def _serve(self) -> None:
        """Give free slots to the tenants in turn. A tenant at its limit keeps its turn."""
        while self._free:
            tenant = next((tenant for tenant in self._lines if self._may_run(tenant)), None)
            if tenant is None:
                return
            line = self._lines.pop(tenant)
            slot = line.popleft()
            if line:
                # To the end: the tenant that was served is the last to have another turn.
                self._lines[tenant] = line
            if not slot.done():
                self._take(tenant)
                slot.set_result(None)
