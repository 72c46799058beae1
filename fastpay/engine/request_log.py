"""Keeps what was asked and answered, off the path of requests: a bounded queue, and a task that empties it.

A request leaves a note in the queue and goes on. The task describes notes, writes the descriptions as log
lines, and stores them by one statement a batch.

| what happens                         | what becomes of the notes                                        |
|--------------------------------------|------------------------------------------------------------------|
| the queue is full                    | new ones are dropped and counted                                 |
| the database is away                 | they are described, wait, and count against the queue            |
| the database refuses a batch         | the batch is dropped after `request_log_attempts_max`, and logged |
| describing takes much of the loop    | the task pauses `request_log_pause_factor` times as long         |
| the process stops                    | they are stored                                                  |
| the process is killed                | those of the last `request_log_gather_ms` or so are lost         |
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Generic, Protocol, TypeVar

from fastpay import limits
from fastpay.clock import Clock
from fastpay.domain.identifiers import Scope
from fastpay.engine.request_log_ports import LoggedRequest, RequestStore
from fastpay.errors import FastpayError
from fastpay.observability import telemetry

_log = telemetry.Log("fastpay.requests")


class Note(Protocol):
    """What a request leaves in the queue."""

    @property
    def request_id(self) -> str:
        """The identifier of the request."""


_Note = TypeVar("_Note", bound=Note)


class RequestLog(Generic[_Note]):
    """The queue and its task.

    `describe` returns what is kept of a note; it is given the time now, by the wall clock in milliseconds and
    by the monotonic one in nanoseconds. `store` is None if nothing is stored, and `write_lines` if nothing is
    logged. `write_lines` may block, and is called in a thread.
    """

    def __init__(
        self,
        describe: Callable[[_Note, int, int], LoggedRequest],
        *,
        clock: Clock,
        store: RequestStore | None = None,
        write_lines: Callable[[Sequence[LoggedRequest]], None] | None = None,
        is_away: Callable[[], bool] = lambda: False,
    ) -> None:
        self._describe = describe
        self._clock = clock
        self._store = store
        self._write_lines = write_lines
        self._is_away = is_away
        self._notes: list[_Note] = []
        self._unwritten: list[LoggedRequest] = []
        self._unstored: list[LoggedRequest] = []
        self._woken = asyncio.Event()
        self._flushing = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None
        self._has_partitions = False
        self._failures = 0
        self._kept = self._dropped = self._batches = 0

    @property
    def is_stored(self) -> bool:
        """Whether what is kept can be found later."""
        return self._store is not None

    @property
    def keeps_strangers(self) -> bool:
        """Whether requests are kept that nobody was authenticated for. They belong to no tenant."""
        return self._write_lines is not None

    def start(self) -> None:
        """Begin to empty the queue."""
        self._task = asyncio.create_task(self._run(), name="request log")

    async def close(self) -> None:
        """Stop, and store what there is."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self.settle()

    def counts(self) -> dict[str, int]:
        """Return what was counted since the start, by name."""
        return {
            "requests_logged": self._kept,
            "requests_not_logged": self._dropped,
            "request_log_batches": self._batches,
        }

    def add(self, note: _Note) -> None:
        """Keep a note, or drop it if the queue is full. It neither waits nor raises."""
        notes = self._notes
        if len(notes) + len(self._unstored) >= limits.request_log_queue_max:
            self._dropped += 1
            return
        notes.append(note)
        if len(notes) == 1:
            self._woken.set()

    async def find(self, scope: Scope, request_id: str) -> LoggedRequest | None:
        """Return a request of this tenant and mode, also one that was answered just now.

        Raises: DatabaseUnavailable, Overloaded.
        """
        if self._store is None:
            return None
        waiting = [note.request_id for note in self._notes]
        waiting += [request.request_id for request in self._unstored]
        if request_id in waiting:
            await self.settle()
        return await self._store.find(scope, request_id)

    async def settle(self) -> None:
        """Store what there is, as far as the database takes it."""
        while self._notes or self._unstored:
            if not await self.flush():
                return

    async def flush(self) -> bool:
        """Describe, log and store one batch. Return whether that succeeded."""
        async with self._flushing:
            # Also while the database is away: a note has what is redacted in its description.
            await self._describe_some(limits.request_log_batch_max)
            if self._write_lines is not None:
                lines, self._unwritten = self._unwritten, []
                await asyncio.to_thread(self._write_lines, lines)
            return self._store is None or not self._unstored or await self._write(self._store)

    async def _describe_some(self, count_max: int) -> None:
        """Describe the oldest notes, a few in each turn of the loop. A cancellation loses none of them."""
        left = min(count_max, len(self._notes))
        while left > 0:
            taken = self._notes[: min(left, limits.request_log_turn_max)]
            now_ms, now_ns = self._clock.now_ms(), self._clock.monotonic_ns()
            for note in taken:
                try:
                    self._add_described(self._describe(note, now_ms, now_ns))
                except Exception:  # noqa: BLE001  a bug in one description must not cost the others
                    self._dropped += 1
                    _log.exception("request_description_failed")
            del self._notes[: len(taken)]
            left -= len(taken)
            pause_ns = (self._clock.monotonic_ns() - now_ns) * limits.request_log_pause_factor
            await asyncio.sleep(pause_ns / 1e9)

    def _add_described(self, request: LoggedRequest) -> None:
        if self._write_lines is not None:
            self._unwritten.append(request)
        if self._store is not None and request.scope is not None:
            self._unstored.append(request)
        else:
            self._kept += 1

    async def _write(self, store: RequestStore) -> bool:
        batch = self._unstored[: limits.request_log_batch_max]
        try:
            if not self._has_partitions:
                await store.make_partitions()
                self._has_partitions = True
            await store.write(batch)
        except FastpayError as error:
            # A partition may be missing.
            self._has_partitions = False
            self._failed(batch, error)
            return False
        self._failures = 0
        self._batches += 1
        self._kept += len(batch)
        del self._unstored[: len(batch)]
        return True

    def _failed(self, batch: Sequence[LoggedRequest], error: FastpayError) -> None:
        """Drop a batch that was refused too often while the database is there."""
        self._failures = 0 if self._is_away() else self._failures + 1
        if self._failures >= limits.request_log_attempts_max:
            self._failures = 0
            self._dropped += len(batch)
            del self._unstored[: len(batch)]
            _log.warning("request_batch_dropped", requests=len(batch), reason=str(error.__cause__ or error))

    async def _run(self) -> None:
        while True:
            await self._woken.wait()
            self._woken.clear()
            await asyncio.sleep(limits.request_log_gather_ms / 1000)
            is_done = False
            try:
                is_done = await self.flush()
            except Exception:  # noqa: BLE001  one failure must not end the log
                _log.exception("request_log_failed")
            if self._notes or self._unstored:
                self._woken.set()
            if not is_done:
                await asyncio.sleep(limits.request_log_retry_ms / 1000)
