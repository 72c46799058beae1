"""Concurrency limits by tenant: one tenant's requests do not fill the event loop while others are served.

| state      | entered when                                           | a tenant may have in progress      |
|------------|--------------------------------------------------------|------------------------------------|
| alone      | one tenant asked for all of the last second            | any number of requests             |
| contended  | requests of two tenants came within the last second    | `requests_max`, or a quarter of    |
|            |                                                        | all up to 16; more waits           |

A quarter of all is for many tenants on a slow machine. What a tenant gets done is at most what it has in
progress by the time that one takes. With a fixed number, the largest of 200 tenants falls behind as soon as
responses take long, although it asks for no more than it did. A flood beside few others gains nothing: a
quarter of what is mostly its own is less than what it has.

A payment is not counted while its processor is asked, which may take seconds and no processor time. Searches
and verifications are never counted. They may take long, and have limits of their own
(`store/bulkheads.py`).

A request that waits is in its tenant's queue. A slot that becomes free goes to the next request of the same
tenant, so tenants never wait for each other here. Alone, a tenant has the whole process, since large batches
commit fastest.
"""

import asyncio
from collections.abc import Callable

from fastpay import limits
from fastpay.clock import SystemClock
from fastpay.domain.identifiers import Scope
from fastpay.engine.gates import Queues
from fastpay.errors import Overloaded

_OVERLOADED = "Too many requests of yours are in progress. Try again in a moment, with fewer at a time."


class Shares:
    """Counts requests in progress by tenant and mode."""

    def __init__(
        self,
        monotonic_ns: Callable[[], int] = SystemClock.monotonic_ns,
        *,
        requests_max: int = limits.contended_requests_max,
    ) -> None:
        self._requests_max = requests_max
        self._monotonic_ns = monotonic_ns
        self._counts: dict[Scope, int] = {}
        self._queues = Queues(self.leave)
        self._count = 0
        # Computations that give way until no other tenant has a request in progress (`engine/background.py`).
        self._giving_way: list[tuple[Scope, asyncio.Future[None]]] = []
        self._last: Scope | None = None
        # When a request last came from another tenant than the one before it.
        self._alternated_ns = -limits.contended_ms * 1_000_000

    def enter(self, scope: Scope) -> bool:
        """Count a request if it may be carried out now. If this returns False, call `wait`."""
        if scope is not self._last and scope != self._last:
            self._last = scope
            self._alternated_ns = self._monotonic_ns()
        count = self._counts.get(scope, 0)
        # Who waits is before who comes.
        if count >= self._requests_max and (scope in self._queues.waiting or not self._has_room(count)):
            return False
        self._counts[scope] = count + 1
        self._count += 1
        return True

    def _has_room(self, count: int) -> bool:
        """Tell whether a tenant with so many requests in progress may have one more."""
        if not self.is_contended():
            return True
        crowded = min(self._count // limits.crowded_part, limits.crowded_requests_max)
        return count < max(self._requests_max, crowded)

    async def wait(self, scope: Scope) -> None:
        """Wait until the request may be carried out, and count it. Raises: Overloaded."""
        if len(self._queues.waiting.get(scope, ())) >= limits.tenant_waiting_max:
            raise Overloaded(_OVERLOADED)
        until = asyncio.get_running_loop().time() + limits.tenant_wait_ms_max / 1000
        try:
            await self._queues.wait(scope, until)
        except TimeoutError:
            raise Overloaded(_OVERLOADED) from None

    def leave(self, scope: Scope) -> None:
        """Count a request as answered, and wake the next one of its tenant."""
        left = self._counts[scope] - 1
        if scope in self._queues.waiting and self._has_room(left) and self._queues.wake(scope):
            # It takes over the slot, so the count stays. There may be room for more of them by now.
            while self._has_room(self._counts[scope]) and self._queues.wake(scope):
                self._counts[scope] += 1
                self._count += 1
            return
        if left:
            self._counts[scope] = left
        else:
            del self._counts[scope]
        self._count -= 1
        for waiting, called in self._giving_way:
            if not called.done() and not self.has_others(waiting):
                called.set_result(None)

    def aside(self, scope: Scope) -> "_Aside":
        """Do not count a request for the block, in which it waits for somebody outside of this process.

        It does not wait again afterwards: what it has begun is to end. So a tenant may have more in progress
        than its share for a moment, and the next ones wait for longer.
        """
        return _Aside(self, scope)

    def come_back(self, scope: Scope) -> None:
        """Count a request again, whether or not there is room."""
        self._counts[scope] = self._counts.get(scope, 0) + 1
        self._count += 1

    def has_others(self, scope: Scope) -> bool:
        """Tell whether another tenant, or the tenant's other mode, has a request in progress."""
        return self._count > self._counts.get(scope, 0)

    async def wait_without_others(self, scope: Scope, seconds_max: float) -> None:
        """Wait until no other tenant has a request in progress, for `seconds_max` at most."""
        called: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        entry = (scope, called)
        self._giving_way.append(entry)
        try:
            await asyncio.wait((called,), timeout=seconds_max)
        finally:
            self._giving_way.remove(entry)

    def is_contended(self) -> bool:
        """Tell whether two tenants have sent requests within `contended_ms`."""
        return self._monotonic_ns() - self._alternated_ns < limits.contended_ms * 1_000_000


class _Aside:
    """A block in which a request is not counted. A generator for it takes twice the instructions."""

    __slots__ = ("_scope", "_shares")

    def __init__(self, shares: Shares, scope: Scope) -> None:
        self._shares = shares
        self._scope = scope

    def __enter__(self) -> None:
        self._shares.leave(self._scope)

    def __exit__(self, *_: object) -> None:
        self._shares.come_back(self._scope)
