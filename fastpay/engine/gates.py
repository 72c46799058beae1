"""Slots that tenants take in turns, so that a flood of one tenant delays no other.

| gate                       | a slot is held by          | more requests                                 |
|----------------------------|----------------------------|-----------------------------------------------|
| `store/bulkheads.py`       | a statement, a search      | wait as long as the read may take             |
| `create_long_request_gate` | a request with a long body | wait as bytes, so that a flood is not decoded |

`engine/shares.py` has slots of another kind, and the same queues.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Hashable
from contextlib import asynccontextmanager

from fastpay import limits
from fastpay.errors import FastpayError, Overloaded, RateLimited


class Queues:
    """Tasks that wait for a slot, in one queue a tenant.

    `release` is called with the tenant of a task that was given a slot but has been cancelled meanwhile.
    """

    def __init__(self, release: Callable[..., None]) -> None:
        self._release = release
        # The tenant whose turn is next comes first. No queue is empty.
        self.waiting: dict[Hashable, deque[asyncio.Future[None]]] = {}

    async def wait(self, tenant: Hashable, until: float) -> None:
        """Wait until `wake` gives a slot. Raises: TimeoutError at `until`, a time of the loop."""
        slot: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.waiting.setdefault(tenant, deque()).append(slot)
        try:
            async with asyncio.timeout_at(until):
                await slot
        except BaseException:
            if slot.done() and not slot.cancelled():
                # The slot came in the same turn of the loop as the reason not to wait for it.
                self._release(tenant)
            else:
                self._drop(tenant, slot)
            raise

    def wake(self, tenant: Hashable) -> bool:
        """Give a slot to the next task of a tenant; the tenant's next turn is after all others.

        Return False if none of its tasks still waits.
        """
        queue = self.waiting.pop(tenant, None)
        while queue:
            slot = queue.popleft()
            if not slot.done():
                slot.set_result(None)
                if queue:
                    self.waiting[tenant] = queue
                return True
        return False

    def _drop(self, tenant: Hashable, slot: "asyncio.Future[None]") -> None:
        queue = self.waiting.get(tenant)
        if queue is not None and slot in queue:
            queue.remove(slot)
            if not queue:
                del self.waiting[tenant]


def _refuse_read(is_own: bool) -> FastpayError:
    if is_own:
        return RateLimited(
            "Too many requests of this kind are waiting for this account. Try again in a moment."
        )
    return Overloaded("Too many requests are waiting. Try again in a moment.")


def _refuse_long_request(is_own: bool) -> FastpayError:
    whose = "of yours " if is_own else ""
    return Overloaded(
        f"Too many long requests {whose}are waiting. Try again in a moment, with fewer at a time."
    )


class Gate:
    """Lets at most `slots` tasks pass at once, and at most `tenant_slots` of one tenant.

    The tasks that wait have a weight of `tenant_waiting_max` at most for each tenant, and of `waiting_max`
    (by default `queued_reads_max`) for all together. Tenants take turns, each first come, first served.
    `refuse` returns the error for one task too many; it is told whether the tenant itself has too many.
    """

    def __init__(
        self,
        *,
        slots: int,
        tenant_slots: int,
        tenant_waiting_max: int,
        waiting_max: int | None = None,
        refuse: Callable[[bool], FastpayError] = _refuse_read,
    ) -> None:
        assert 1 <= tenant_slots <= slots
        self._slots = self._free = slots
        self._tenant_slots = tenant_slots
        self._tenant_waiting_max = tenant_waiting_max
        self._waiting_max = limits.queued_reads_max if waiting_max is None else waiting_max
        self._refuse = refuse
        self._running: dict[Hashable, int] = {}
        self._queues = Queues(self._release)
        # What waits, by tenant.
        self._weights: dict[Hashable, int] = {}
        self._weight = 0

    @asynccontextmanager
    async def enter(self, tenant: Hashable, *, until: float, weight: int = 1) -> AsyncIterator[None]:
        """Hold a slot for the block. It must be free by `until`, a time of the loop.

        Raises: what `refuse` returns; TimeoutError if one tenant may have all slots, so that the wait is
        nobody's fault and what holds them must be slow.
        """
        if self._free and self._may_run(tenant) and tenant not in self._queues.waiting:
            self._take(tenant)
        else:
            await self._wait(tenant, until, weight)
        try:
            yield
        finally:
            self._release(tenant)

    def _may_run(self, tenant: Hashable) -> bool:
        return self._running.get(tenant, 0) < self._tenant_slots

    def _take(self, tenant: Hashable) -> None:
        self._free -= 1
        self._running[tenant] = self._running.get(tenant, 0) + 1

    async def _wait(self, tenant: Hashable, until: float, weight: int) -> None:
        """Wait for a slot."""
        if self._weights.get(tenant, 0) + weight > self._tenant_waiting_max:
            raise self._refuse(True)
        if self._weight + weight > self._waiting_max:
            raise self._refuse(False)
        self._weigh(tenant, weight)
        try:
            await self._queues.wait(tenant, until)
        except TimeoutError as error:
            if self._tenant_slots == self._slots:
                raise
            raise self._refuse(not self._may_run(tenant)) from error
        finally:
            self._weigh(tenant, -weight)

    def _weigh(self, tenant: Hashable, weight: int) -> None:
        self._weight += weight
        self._weights[tenant] = self._weights.get(tenant, 0) + weight
        if not self._weights[tenant]:
            del self._weights[tenant]

    def _release(self, tenant: Hashable) -> None:
        self._free += 1
        self._running[tenant] -= 1
        if not self._running[tenant]:
            del self._running[tenant]
        self._serve()

    def _serve(self) -> None:
        """Give free slots to those whose turn it is. Tenants that may not have more keep their turn."""
        while self._free:
            tenant = next((tenant for tenant in self._queues.waiting if self._may_run(tenant)), None)
            if tenant is None:
                return
            if self._queues.wake(tenant):
                self._take(tenant)


def create_long_request_gate() -> Gate:
    """Return the gate for requests with long bodies. The weight of what waits is its size in bytes."""
    return Gate(
        slots=limits.long_requests_max,
        tenant_slots=limits.long_requests_tenant_max,
        tenant_waiting_max=limits.long_waiting_bytes_tenant_max,
        waiting_max=limits.long_waiting_bytes_max,
        refuse=_refuse_long_request,
    )
