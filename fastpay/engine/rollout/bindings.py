"""Binds idempotency keys to sides, several with one commit.

    bind ---> waiting ---> one statement at a time, of all that wait ---> each request goes on
                 ^                          |
                 +---- keys that another instance was binding just then

No request goes to a side before its key is bound on disk. So each waits for a commit, and those that come
while one is on its way share the next one.
"""

import asyncio
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import NamedTuple, Protocol

from fastpay import limits
from fastpay.domain.identifiers import Scope
from fastpay.engine.rollout.choice import Side
from fastpay.errors import Overloaded

# A scope, and the digest of an idempotency key.
Key = tuple[Scope, bytes]


class KeyStore(Protocol):
    """Where the sides of keys are. Raises DatabaseUnavailable and Overloaded."""

    async def bind(self, wanted: Sequence[tuple[Key, Side]]) -> Mapping[Key, Side]:
        """Bind idempotency keys to sides, unless they are bound; return their sides once those are on disk.

        A key that another instance was binding in this moment is left out.
        """


class _Wanted(NamedTuple):
    side: Side
    waiters: list[asyncio.Future[Side]]


class Bindings:
    """Attempts of one key that come together are bound once, to the side of the first one."""

    def __init__(self, store: KeyStore) -> None:
        self._store = store
        self._wanted: dict[Key, _Wanted] = {}
        self._task: asyncio.Task[None] | None = None

    async def bind(self, key: Key, side: Side) -> Side:
        """Return the side of a key once it is on disk. Raises: Overloaded, and what the store raises."""
        wanted = self._wanted.get(key)
        if wanted is None:
            if len(self._wanted) >= limits.rollout_binding_max:
                raise Overloaded("Too many idempotency keys wait for the database.")
            wanted = self._wanted[key] = _Wanted(side, [])
        waiter: asyncio.Future[Side] = asyncio.get_running_loop().create_future()
        wanted.waiters.append(waiter)
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="bind keys")
        return await waiter

    async def _run(self) -> None:
        """Bind all that wait, until nothing does."""
        batch: dict[Key, _Wanted] = {}
        try:
            while self._wanted:
                batch = dict(islice(self._wanted.items(), limits.rollout_bound_keys_max))
                for key in batch:
                    del self._wanted[key]
                await self._bind_batch(batch)
        finally:
            self._task = None
            # Only if this was cancelled is anybody left.
            for wanted in (*batch.values(), *self._wanted.values()):
                for waiter in wanted.waiters:
                    waiter.cancel()

    async def _bind_batch(self, batch: Mapping[Key, _Wanted]) -> None:
        try:
            sides = await self._store.bind([(key, wanted.side) for key, wanted in batch.items()])
        except Exception as error:  # noqa: BLE001  whoever waits gets it
            for wanted in batch.values():
                for waiter in wanted.waiters:
                    if not waiter.done():
                        waiter.set_exception(error)
            return
        for key, wanted in batch.items():
            side = sides.get(key)
            if side is None:
                again = self._wanted.setdefault(key, _Wanted(wanted.side, []))
                again.waiters.extend(wanted.waiters)
                continue
            for waiter in wanted.waiters:
                if not waiter.done():
                    waiter.set_result(side)
