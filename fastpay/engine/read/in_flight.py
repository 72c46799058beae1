"""Reads that are under way, each for everybody who wants the same object."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from fastpay import limits
from fastpay.clock import Clock
from fastpay.domain.identifiers import Scope
from fastpay.domain.plan import Versioned
from fastpay.errors import DatabaseUnavailable, Overloaded

Key = tuple[Scope, str]


class InFlightRead:
    """One read of one object. `generation` is its partition's; `is_outdated` says that the object has changed
    since."""

    __slots__ = ("_future", "_watchers", "generation", "is_outdated", "key", "sent_ns")

    def __init__(self, key: Key, generation: int) -> None:
        self.key = key
        self.generation = generation
        self.is_outdated = False
        self.sent_ns: int | None = None
        self._future: asyncio.Future[Versioned | None] = asyncio.get_running_loop().create_future()
        self._watchers: list[Callable[[Versioned | None], None]] = []

    @property
    def is_done(self) -> bool:
        """Tell whether everybody who waited was answered."""
        return self._future.done()

    def wait(self) -> Awaitable[Versioned | None]:
        """Return what to wait for: whoever stops waiting leaves it as it is to the others."""
        return asyncio.shield(self._future)

    def watch(self, on_done: Callable[[Versioned | None], None]) -> None:
        """Call `on_done` when the read ends, before those who wait. It must not raise."""
        self._watchers.append(on_done)

    def resolve(self, versioned: Versioned | None) -> None:
        """Answer everybody who waits."""
        if not self._future.done():
            self._future.set_result(versioned)
            self._tell(versioned)

    def fail(self, error: Exception) -> None:
        """Tell everybody who waits what went wrong; perhaps that is nobody any more."""
        if not self._future.done():
            self._future.set_exception(error)
            self._future.exception()
            self._tell(None)

    def _tell(self, versioned: Versioned | None) -> None:
        watchers, self._watchers = self._watchers, []
        for on_done in watchers:
            on_done(versioned)


class InFlightReads:
    """Starts reads, at most one of each object, and all those of one loop turn together.

    While as many statements are under way as may be, what is missed gathers for the next one. Before that,
    `look` may resolve some of those reads that ask for it; it returns the others, and never raises.

    Where a statement failed after a long wait, what has gathered meanwhile fails as well, and so does what
    comes within `failed_reads_ms`, such as a parked request that now goes the long way. It would only wait
    for as long again, beyond its deadline.
    """

    def __init__(
        self,
        read: Callable[[Sequence[InFlightRead]], Awaitable[None]],
        *,
        clock: Clock,
        staleness_ns: int,
        look: Callable[[Sequence[InFlightRead]], Awaitable[Sequence[InFlightRead]]],
    ) -> None:
        self._read = read
        self._look = look
        self._clock = clock
        self._staleness_ns = staleness_ns
        self._running: dict[Key, InFlightRead] = {}
        self._gathered: list[InFlightRead] = []
        # Missed in this turn, and to be looked for first; then how many of them are looked for.
        self._missing: list[InFlightRead] = []
        self._looked_for = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._lookers: set[asyncio.Task[None]] = set()
        self._is_scheduled = False
        self._is_closed = False
        self.joined = 0
        self.missed = 0
        self.sent = 0
        # Turns of the loop in which anything was missed.
        self.turns = 0
        self._is_turn_counted = False
        # What the last statement failed with, and until when that holds for others too.
        self._failure: DatabaseUnavailable | None = None
        self._failed_until_ns = 0

    def join(self, key: Key, generation: int, *, looks: bool = False) -> InFlightRead:
        """Return the read to wait for; a new one is looked for first where it `looks`.

        Raises: Overloaded, DatabaseUnavailable.
        """
        if self._failure is not None:
            self._refuse_for_a_while(self._failure)
        read = self._running.get(key)
        if read is not None and read.generation == generation and self._is_fresh(read):
            self.joined += 1
            return read
        waiting = len(self._gathered) + len(self._missing) + self._looked_for
        if self._is_closed or waiting >= limits.gathered_reads_max:
            raise Overloaded("Too many requests are waiting. Try again in a moment.")
        self.missed += 1
        if not self._is_turn_counted:
            self._is_turn_counted = True
            self.turns += 1
            asyncio.get_running_loop().call_soon(self._end_turn)
        read = self._running[key] = InFlightRead(key, generation)
        if looks:
            if not self._missing:
                asyncio.get_running_loop().call_soon(self._look_for_missing)
            self._missing.append(read)
            return read
        self._gathered.append(read)
        if not self._is_scheduled and len(self._tasks) < limits.batch_reads_at_once:
            self._is_scheduled = True
            asyncio.get_running_loop().call_soon(self._send)
        return read

    def outdate(self, key: Key) -> None:
        """Let nobody join a read any more that began before its object changed."""
        read = self._running.get(key)
        if read is not None and read.sent_ns is not None:
            read.is_outdated = True
            del self._running[key]

    def outdate_all(self) -> None:
        """Let nobody join any read that began before."""
        for key in list(self._running):
            self.outdate(key)

    async def close(self) -> None:
        """End what is under way."""
        self._is_closed = True
        gathered, self._gathered, self._missing = [*self._gathered, *self._missing], [], []
        for read in gathered:
            read.fail(DatabaseUnavailable("The server is stopping. Try again."))
        tasks = [*self._tasks, *self._lookers]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def _is_fresh(self, read: InFlightRead) -> bool:
        """Tell whether what a read finds is new enough for somebody who comes only now."""
        return read.sent_ns is None or self._clock.monotonic_ns() - read.sent_ns < self._staleness_ns

    def _end_turn(self) -> None:
        self._is_turn_counted = False

    def _look_for_missing(self) -> None:
        missing, self._missing = self._missing, []
        for start in range(0, len(missing), limits.batch_reads_max):
            task = asyncio.create_task(self._look_for(missing[start : start + limits.batch_reads_max]))
            self._lookers.add(task)
            task.add_done_callback(self._lookers.discard)

    async def _look_for(self, batch: Sequence[InFlightRead]) -> None:
        self._looked_for += len(batch)
        try:
            left = await self._look(batch)
        except asyncio.CancelledError:
            _fail(batch, DatabaseUnavailable("The server is stopping. Try again."))
            raise
        finally:
            self._looked_for -= len(batch)
            self._forget([read for read in batch if read.is_done])
        self._gathered += left
        self._send()

    def _forget(self, reads: Sequence[InFlightRead]) -> None:
        for read in reads:
            if self._running.get(read.key) is read:
                del self._running[read.key]

    def _send(self) -> None:
        self._is_scheduled = False
        while self._gathered and len(self._tasks) < limits.batch_reads_at_once:
            batch = self._gathered[: limits.batch_reads_max]
            del self._gathered[: limits.batch_reads_max]
            now_ns = self._clock.monotonic_ns()
            for read in batch:
                read.sent_ns = now_ns
            task = asyncio.create_task(self._run(batch))
            self._tasks.add(task)
            task.add_done_callback(self._ended)
            self.sent += 1

    async def _run(self, batch: Sequence[InFlightRead]) -> None:
        try:
            await self._read(batch)
        except asyncio.CancelledError:
            _fail(batch, DatabaseUnavailable("The server is stopping. Try again."))
            raise
        except Exception as error:  # noqa: BLE001  whatever it is, it is for those who wait
            if isinstance(error, DatabaseUnavailable):
                batch = [*batch, *self._fail_for_a_while(error, batch[0])]
            _fail(batch, error)
        finally:
            self._forget(batch)

    def _fail_for_a_while(self, failure: DatabaseUnavailable, read: InFlightRead) -> list[InFlightRead]:
        """Have reads fail for a while if this read took long to fail; return those that fail with it."""
        assert read.sent_ns is not None
        now_ns, span_ns = self._clock.monotonic_ns(), limits.failed_reads_ms * 1_000_000
        if now_ns - read.sent_ns < span_ns:
            return []
        self._failure, self._failed_until_ns = failure, now_ns + span_ns
        gathered, self._gathered = self._gathered, []
        self._forget(gathered)
        return gathered

    def _refuse_for_a_while(self, failure: DatabaseUnavailable) -> None:
        """Raise what the last statement failed with, unless that was long ago."""
        if self._clock.monotonic_ns() < self._failed_until_ns:
            raise DatabaseUnavailable(failure.message)
        self._failure = None

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        self._send()


def _fail(batch: Sequence[InFlightRead], error: Exception) -> None:
    for read in batch:
        read.fail(error)
