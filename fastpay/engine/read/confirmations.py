"""Asks the database in time whether the partitions that are used are still up to date."""

import asyncio
from collections.abc import Mapping, Sequence

from fastpay import limits
from fastpay.clock import Clock
from fastpay.domain.identifiers import Scope
from fastpay.engine.ports import ReaderStore
from fastpay.engine.read.freshness import Freshness
from fastpay.errors import DatabaseUnavailable, Overloaded
from fastpay.observability import telemetry

_log = telemetry.Log("fastpay.reader")


class Confirmations:
    """Asks twice in the staleness bound, in one statement for all scopes that were used since. With a bound
    of 0 it never asks."""

    def __init__(
        self, store: ReaderStore, scopes: Mapping[Scope, Freshness], *, clock: Clock, staleness_ns: int
    ) -> None:
        self._store = store
        self._scopes = scopes
        self._clock = clock
        self._staleness_ns = staleness_ns
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to ask."""
        if self._staleness_ns:
            self._task = asyncio.create_task(self._keep_confirming(), name="reader")

    async def close(self) -> None:
        """Stop at once."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def confirm(self) -> None:
        """Ask once."""
        used = [freshness for freshness in self._scopes.values() if freshness.partition.was_used]
        for start in range(0, len(used), limits.batch_reads_max):
            await self._confirm_some(used[start : start + limits.batch_reads_max])

    async def _keep_confirming(self) -> None:
        while True:
            await asyncio.sleep(self._staleness_ns / 2e9)
            await self.confirm()

    async def _confirm_some(self, scopes: Sequence[Freshness]) -> None:
        asked_ns = self._clock.monotonic_ns()
        for freshness in scopes:
            freshness.partition.was_used = False
        try:
            sequences = await self._store.read_sequences([freshness.scope for freshness in scopes])
        except (DatabaseUnavailable, Overloaded):
            # Nothing is confirmed then, and what is cached is not shown beyond the bound.
            return
        except Exception:  # noqa: BLE001  the task must survive whatever one question raises
            _log.exception("confirmation_failed")
            return
        now_ns = self._clock.monotonic_ns()
        for freshness in scopes:
            if freshness.scope in sequences:
                freshness.confirmed(sequences[freshness.scope], asked_ns, now_ns)
