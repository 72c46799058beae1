"""Stores what became of deliveries: positions, exceptions and attempts of all endpoints in one statement."""

import asyncio
from collections.abc import Callable
from typing import Protocol

from fastpay import limits
from fastpay.clock import Clock
from fastpay.engine.relay.lease_ports import LeaseStore, MadeAttempt, Record
from fastpay.engine.relay.ports import Attempt, EndpointName
from fastpay.engine.relay.progress import Entry, Progress
from fastpay.errors import FastpayError
from fastpay.observability import telemetry

_log = telemetry.Log("fastpay.relay")


class Recorded(Protocol):
    """An endpoint whose state is stored."""

    name: EndpointName
    fence: int
    progress: Progress

    def record(self) -> Record:
        """Return the state to store, with the exceptions that have changed."""

    def recorded(self, record: Record) -> None:
        """Note that a state is stored."""


class Recorder:
    """Gathers for a moment, and then stores everything. What could not be stored is kept, and stored later.

    While `is_busy` says so it gathers for longer: each record is a commit, for which payments wait as well.
    What an instance had not stored when it was killed is sent again, and nothing more.
    `fenced` is called with endpoints that another instance has taken over: nothing of them was stored.
    """

    def __init__(
        self,
        store: LeaseStore,
        instance_id: str,
        *,
        clock: Clock,
        fenced: Callable[[Recorded], None],
        is_busy: Callable[[], bool] = lambda: False,
    ) -> None:
        self._clock = clock
        self._store = store
        self._instance_id = instance_id
        self._fenced = fenced
        self._is_busy = is_busy
        self._touched: dict[Recorded, None] = {}
        self._stored: dict[Recorded, Record] = {}
        self._attempts: list[tuple[Recorded, MadeAttempt]] = []
        self._woken = asyncio.Event()
        self._flushing = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None
        self._failures = 0
        self._logged_ns: int | None = None
        self.flushes = 0

    def start(self) -> None:
        """Begin to store."""
        self._task = asyncio.create_task(self._run(), name="relay recorder")

    async def close(self) -> None:
        """Stop, and store what there is."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self.flush()

    @property
    def is_full(self) -> bool:
        """Whether so much waits to be stored that nothing more should be sent."""
        return len(self._attempts) >= limits.relay_unrecorded_max

    def touch(self, channel: Recorded) -> None:
        """Store the state of an endpoint with the next attempts, or with the next beat."""
        self._touched[channel] = None

    def add(self, channel: Recorded, attempt: Attempt) -> None:
        """Store an attempt soon, with the state of its endpoint."""
        self.touch(channel)
        self._attempts.append((channel, MadeAttempt(channel.name, attempt)))
        self._woken.set()

    def forget(self, channel: Recorded) -> None:
        """Drop what is to be stored of an endpoint that this instance does not hold any more."""
        self._touched.pop(channel, None)
        self._stored.pop(channel, None)
        self._attempts = [made for made in self._attempts if made[0] is not channel]

    async def flush(self) -> bool:
        """Store everything that has changed, and return whether that succeeded."""
        async with self._flushing:
            return await self._flush()

    async def _flush(self) -> bool:
        touched, self._touched = self._touched, {}
        attempts, self._attempts = self._attempts, []
        attempted = {channel for channel, _ in attempts}
        records: dict[Recorded, Record] = {}
        taken: dict[Recorded, dict[int, Entry | None]] = {}
        for channel in touched:
            record = channel.record()
            if channel in attempted or record != self._stored.get(channel):
                records[channel] = record
                taken[channel], channel.progress.changed = channel.progress.changed, {}
        if not records:
            return True
        try:
            made = [attempt for _, attempt in attempts]
            held = await self._store.record(self._instance_id, list(records.values()), made)
        except BaseException as error:
            # Nothing is known to be stored, so all of it is stored again.
            self._attempts = attempts + self._attempts
            for channel, changed in taken.items():
                self.touch(channel)
                channel.progress.changed = changed | channel.progress.changed
            if not isinstance(error, FastpayError):
                raise
            self._postponed(error)
            return False
        self.flushes += 1
        self._failures = 0
        for channel, record in records.items():
            if (record.name, record.fence) in held:
                self._stored[channel] = record._replace(kept=[], removed=[])
                channel.recorded(record)
            else:
                self._fenced(channel)
        return True

    def _postponed(self, error: FastpayError) -> None:
        """Log it, unless that is the beginning of an outage or was logged within the last minute."""
        self._failures += 1
        now_ns, last_ns = self._clock.monotonic_ns(), self._logged_ns
        is_due = last_ns is None or now_ns - last_ns >= limits.outage_reminder_ms * 1_000_000
        if self._failures > limits.relay_failures_quiet and is_due:
            self._logged_ns = now_ns
            _log.warning("relay_record_postponed", reason=str(error.__cause__ or error))

    async def _run(self) -> None:
        while True:
            await self._woken.wait()
            self._woken.clear()
            gather_ms = limits.relay_gather_busy_ms if self._is_busy() else limits.relay_gather_ms
            await asyncio.sleep(gather_ms / 1000)
            is_stored = False
            try:
                is_stored = await self.flush()
            except Exception:  # noqa: BLE001  one failure must not end the recorder
                _log.exception("relay_record_failed")
            if not is_stored:
                await asyncio.sleep(limits.relay_retry_ms / 1000)
                self._woken.set()
