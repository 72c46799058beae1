"""Checks the dependencies every second, and at once after a failure."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Protocol

from fastpay import limits
from fastpay.clock import Clock
from fastpay.engine.dependencies import Dependency
from fastpay.engine.dependency_ports import DatabaseProbe
from fastpay.engine.failures import TransientFailure
from fastpay.errors import DatabaseUnavailable, FastpayError
from fastpay.observability import telemetry

_log = telemetry.Log("fastpay.monitor")

_READ_ONLY = "the database is read-only, or a standby"


class Watch(Protocol):
    """Checks one dependency."""

    async def look(self) -> None:
        """Check it, within a bounded time."""

    async def close(self) -> None:
        """Release what the checks use."""


class DatabaseWatch:
    """Knows whether the database answers, and whether it takes writes.

    A failed statement is only a suspicion. A query on a new connection decides. A write that was refused
    because the disk is full or the database read-only counts at once, until a write of the probe succeeds.
    """

    def __init__(self, probe: DatabaseProbe, dependency: Dependency, *, clock: Clock) -> None:
        self._probe = probe
        self._clock = clock
        self._connection = dependency.part()
        self._writes = dependency.part()
        self._is_disk_full = False
        self._is_suspected = False
        self._looked_ns = clock.monotonic_ns()
        self.suspected = asyncio.Event()
        # Called when the database is lost, so that statements with long timeouts need not run into them.
        self.when_lost: Callable[[], None] = lambda: None

    def is_away(self) -> bool:
        """Tell whether the database does not answer, or takes no writes."""
        return self._connection.is_lost or self._writes.is_lost

    def failed(self, failure: TransientFailure) -> None:
        """Note why a statement failed."""
        if failure.kind == "contention":
            return
        if failure.kind in ("disk full", "read-only"):
            self._is_disk_full = failure.kind == "disk full"
            self._writes.lost(failure.reason)
        self._is_suspected = True
        self.suspected.set()

    async def look(self) -> None:
        """Query the database, and write to it while it is not known to accept writes."""
        afresh, self._is_suspected = self._is_suspected or self.is_away(), False
        self.suspected.clear()
        try:
            takes_writes = await self._probe.look(afresh=afresh)
        except TransientFailure as failure:
            was_lost = self._connection.is_lost
            self._connection.lost(failure.reason)
            if not was_lost:
                self.when_lost()
        else:
            self._connection.back()
            await self._look_at_writes(takes_writes=takes_writes)
        self._looked_ns = self._clock.monotonic_ns()

    async def close(self) -> None:
        """Close the probe's connection."""
        await self._probe.close()

    async def _look_at_writes(self, *, takes_writes: bool) -> None:
        if not takes_writes:
            self._is_disk_full = False
            self._writes.lost(_READ_ONLY)
        elif self._writes.is_lost:
            try:
                await self._probe.write()
            except TransientFailure as failure:
                self._is_disk_full = failure.kind == "disk full"
                self._writes.lost(failure.reason)
            else:
                self._writes.back()

    def fault(self) -> FastpayError | None:
        """Return why requests cannot be served, None while they can."""
        if self._connection.is_lost:
            return DatabaseUnavailable("The database cannot be reached right now.")
        if self._writes.is_lost and self._is_disk_full:
            return DatabaseUnavailable("The database's disk is full.", code="disk_full")
        if self._writes.is_lost:
            return DatabaseUnavailable("The database takes no writes right now.", code="database_read_only")
        age_ms = (self._clock.monotonic_ns() - self._looked_ns) / 1_000_000
        if age_ms > limits.readiness_stale_ms:
            return DatabaseUnavailable("It is not known whether the database can be reached.")
        return None


class DiskWatch:
    """Knows whether the disk of the embedded database has free space. `free_bytes` returns how much."""

    def __init__(self, free_bytes: Callable[[], int], dependency: Dependency) -> None:
        self._free_bytes = free_bytes
        self._dependency = dependency
        self._room = dependency.part()

    async def look(self) -> None:
        """Check the free space."""
        try:
            free = self._free_bytes()
        except OSError as error:
            self._room.lost(error.strerror or str(error))
            return
        self._dependency.measured(free_bytes=free)
        if free < limits.disk_free_bytes_min:
            self._room.lost(f"{free >> 20} MiB are free, and {limits.disk_free_bytes_min >> 20} are needed")
        else:
            self._room.back()

    async def close(self) -> None:
        """Do nothing."""

    def fault(self) -> FastpayError | None:
        """Return why requests cannot be served, None while they can."""
        if self._room.is_lost:
            return DatabaseUnavailable("The database's disk is full.", code="disk_full")
        return None


class Monitor:
    """Runs all checks periodically, and has the log repeat what is lost."""

    def __init__(
        self, watches: Sequence[Watch], dependencies: Sequence[Dependency], *, suspected: asyncio.Event
    ) -> None:
        self._watches = watches
        self._dependencies = dependencies
        self._suspected = suspected
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to check."""
        self._task = asyncio.create_task(self._run(), name="monitor")

    async def close(self) -> None:
        """Stop at once."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        for watch in self._watches:
            await watch.close()

    async def look(self) -> None:
        """Check everything once."""
        for watch in self._watches:
            try:
                await watch.look()
            except Exception:  # noqa: BLE001  the other checks must run all the same
                _log.exception("dependency_check_failed")
        for dependency in self._dependencies:
            dependency.remind()

    async def _run(self) -> None:
        while True:
            await self.look()
            try:
                async with asyncio.timeout(limits.probe_interval_ms / 1000):
                    await self._suspected.wait()
            except TimeoutError:
                continue
            # Bounds how often a failing dependency is asked.
            await asyncio.sleep(limits.deadline_check_ms / 1000)
