"""Reads in flight: each is shared by everybody who wants the same object, and sent in batches."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

from fastpay import limits
from fastpay.clock import Clock
from fastpay.domain.plan import Versioned
from fastpay.engine.read.copy_ports import Key, Neighbour, Seen
from fastpay.errors import DatabaseUnavailable, Overloaded
from fastpay.observability import telemetry

_log = telemetry.Log("fastpay.reads")


class InFlightRead:
    """One read of one object, which is cached if it is of a kind that is.

    `sent_ns` is when its statement was sent, None before that. `is_outdated` says that the object may have
    changed since: the answer still goes to those who wait, and is neither joined nor cached. What is sent
    after that sees all commits up to the sequence `outdated_at`.
    """

    __slots__ = (
        "_answer",
        "_future",
        "_watchers",
        "is_cached",
        "is_done",
        "is_outdated",
        "key",
        "outdated_at",
        "sent_ns",
    )

    def __init__(self, key: Key) -> None:
        self.key = key
        self.is_cached = False
        self.is_done = False
        self.is_outdated = False
        self.outdated_at = 0
        self.sent_ns: int | None = None
        self._answer: Versioned | Exception | None = None
        # Most reads are only watched.
        self._future: asyncio.Future[Versioned | None] | None = None
        self._watchers: list[Callable[[Versioned | None], None]] = []

    def wait(self) -> Awaitable[Versioned | None]:
        """Return what to await. Cancelling one waiter does not affect the others."""
        if self._future is None:
            self._future = asyncio.get_running_loop().create_future()
            if self.is_done:
                self._settle()
        return asyncio.shield(self._future)

    def watch(self, on_done: Callable[[Versioned | None], None]) -> None:
        """Call `on_done` when the read ends, before the waiters wake up."""
        self._watchers.append(on_done)

    def resolve(self, versioned: Versioned | None) -> None:
        """Answer everybody who waits."""
        if not self.is_done:
            self._end(versioned, versioned)

    def fail(self, error: Exception) -> None:
        """Fail everybody who waits."""
        if not self.is_done:
            self._end(error, None)

    def _end(self, answer: Versioned | Exception | None, told: Versioned | None) -> None:
        self.is_done = True
        self._answer = answer
        if self._future is not None:
            self._settle()
        for on_done in self._watchers:
            try:
                on_done(told)
            except Exception:  # noqa: BLE001  the others are requests as well, which nobody else would answer
                _log.exception("read_watcher_failed")

    def _settle(self) -> None:
        future, answer = self._future, self._answer
        assert future is not None
        if not isinstance(answer, Exception):
            future.set_result(answer)
            return
        future.set_exception(answer)
        # Perhaps nobody waits any more: the error counts as retrieved.
        future.exception()


class InFlightReads:
    """Sends reads in batches: one statement for all that were begun in one turn of the loop.

    At most `batch_reads_at_once` statements run at a time; meanwhile reads gather for the next one. Before
    that, `look` resolves those of the reads that it can, if they ask for it; it returns the others and never
    raises. So does `take` with what a home has said of reads that name one, and when it was asked. `ended` is
    told of reads that have ended, or that nobody should join any more.

    If a statement fails after a long wait, the gathered reads fail as well, and new ones fail for
    `failed_reads_ms` (a parked request that falls back to the long way is one): they would wait for as long
    again, beyond their deadline.
    """

    def __init__(
        self,
        read: Callable[[Sequence[InFlightRead]], Awaitable[None]],
        *,
        clock: Clock,
        look: Callable[[Sequence[InFlightRead]], Awaitable[Sequence[InFlightRead]]],
        take: Callable[[Sequence[InFlightRead], Sequence[Seen | None], int], Sequence[InFlightRead]],
        ended: Callable[[Sequence[InFlightRead]], None],
    ) -> None:
        self._read = read
        self._look = look
        self._take = take
        self._ended = ended
        self._clock = clock
        self._gathered: list[InFlightRead] = []
        # Begun in this turn and to be looked for first; then how many are being looked for.
        self._missing: list[InFlightRead] = []
        self._looked_for = 0
        # Begun in this turn and to be asked for first, by whom to ask.
        self._unasked: dict[Neighbour, list[InFlightRead]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._lookers: set[asyncio.Task[None]] = set()
        self._is_scheduled = False
        self._is_closed = False
        self.begun = 0
        self.sent = 0
        # Turns of the loop in which any read was begun.
        self.turns = 0
        self._is_turn_counted = False
        # What the last statement failed with, and until when new reads fail with it.
        self._failure: DatabaseUnavailable | None = None
        self._failed_until_ns = 0

    def check(self) -> None:
        """Raise DatabaseUnavailable if reads fail at the moment."""
        if self._failure is not None:
            if self._clock.monotonic_ns() < self._failed_until_ns:
                raise DatabaseUnavailable(self._failure.message)
            self._failure = None

    def begin(self, key: Key, *, home: Neighbour | None = None, looks: bool = False) -> InFlightRead:
        """Begin a read. Its `home` is asked first, or it is looked for if it `looks`. Raises: Overloaded."""
        waiting = len(self._gathered) + len(self._missing) + self._looked_for
        if self._is_closed or waiting >= limits.gathered_reads_max:
            raise Overloaded("Too many requests are waiting. Try again in a moment.")
        self.begun += 1
        if not self._is_turn_counted:
            self._is_turn_counted = True
            self.turns += 1
            asyncio.get_running_loop().call_soon(self._end_turn)
        read = InFlightRead(key)
        if home is not None:
            self._looked_for += 1
            if not self._unasked:
                asyncio.get_running_loop().call_soon(self._ask)
            self._unasked.setdefault(home, []).append(read)
            return read
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

    async def close(self) -> None:
        """Cancel what is in flight, and fail everybody who waits."""
        self._is_closed = True
        unasked = itertools.chain(*self._unasked.values())
        gathered = [*self._gathered, *self._missing, *unasked]
        self._gathered, self._missing, self._unasked = [], [], {}
        for read in gathered:
            read.fail(DatabaseUnavailable("The server is stopping. Try again."))
        tasks = [*self._tasks, *self._lookers]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def _end_turn(self) -> None:
        self._is_turn_counted = False

    def _ask(self) -> None:
        """Ask homes for what was begun in this turn."""
        unasked, self._unasked = self._unasked, {}
        asked_ns = self._clock.monotonic_ns()
        for home, reads in unasked.items():
            for start in range(0, len(reads), limits.home_find_objects_max):
                part = reads[start : start + limits.home_find_objects_max]
                home.find([read.key for read in part], partial(self._hear, part, asked_ns))

    def _hear(self, reads: Sequence[InFlightRead], asked_ns: int, seen: Sequence[Seen | None]) -> None:
        """Take what a home shows, and read the rest from the database."""
        self._looked_for -= len(reads)
        left = self._take(reads, seen, asked_ns)
        if len(left) < len(reads):
            self._ended([read for read in reads if read.is_done])
        if self._is_closed:
            _fail(left, DatabaseUnavailable("The server is stopping. Try again."))
        elif left:
            self._gathered += left
            self._send()

    def _look_for_missing(self) -> None:
        missing, self._missing = self._missing, []
        for start in range(0, len(missing), limits.batch_reads_max):
            batch = missing[start : start + limits.batch_reads_max]
            task = asyncio.create_task(self._look_for(batch))
            self._lookers.add(task)
            task.add_done_callback(self._lookers.discard)
            task.add_done_callback(partial(_fail_if_cancelled, batch))

    async def _look_for(self, batch: Sequence[InFlightRead]) -> None:
        self._looked_for += len(batch)
        try:
            left = await self._look(batch)
        finally:
            self._looked_for -= len(batch)
            self._ended([read for read in batch if read.is_done])
        self._gathered += left
        self._send()

    def _send(self) -> None:
        self._is_scheduled = False
        while self._gathered and len(self._tasks) < limits.batch_reads_at_once:
            batch = self._gathered[: limits.batch_reads_max]
            del self._gathered[: limits.batch_reads_max]
            now_ns = self._clock.monotonic_ns()
            for read in batch:
                read.sent_ns = now_ns
            # `asyncio.create_task` would name it as well, for 1,500 instructions.
            task = asyncio.get_running_loop().create_task(self._run(batch))
            self._tasks.add(task)
            task.add_done_callback(partial(self._finished, batch))
            self.sent += 1

    async def _run(self, batch: Sequence[InFlightRead]) -> None:
        try:
            await self._read(batch)
        except Exception as error:  # noqa: BLE001  the waiters raise it
            if isinstance(error, DatabaseUnavailable):
                batch = [*batch, *self._fail_for_a_while(error, batch[0])]
            _fail(batch, error)
        finally:
            self._ended(batch)

    def _fail_for_a_while(self, failure: DatabaseUnavailable, read: InFlightRead) -> list[InFlightRead]:
        """Fail new reads for a while if this one took long to fail. Return the gathered ones, to fail too."""
        assert read.sent_ns is not None
        now_ns, span_ns = self._clock.monotonic_ns(), limits.failed_reads_ms * 1_000_000
        if now_ns - read.sent_ns < span_ns:
            return []
        self._failure, self._failed_until_ns = failure, now_ns + span_ns
        gathered, self._gathered = self._gathered, []
        self._ended(gathered)
        return gathered

    def _finished(self, batch: Sequence[InFlightRead], task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        _fail_if_cancelled(batch, task)
        self._send()


def _fail_if_cancelled(batch: Sequence[InFlightRead], task: "asyncio.Task[None]") -> None:
    # Not in the task itself: one that is cancelled before its first step runs nothing.
    if task.cancelled():
        _fail(batch, DatabaseUnavailable("The server is stopping. Try again."))


def _fail(batch: Sequence[InFlightRead], error: Exception) -> None:
    for read in batch:
        read.fail(error)
