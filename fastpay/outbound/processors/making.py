"""Makes processors of what is configured. They share the connections of one HTTP client."""

import asyncio

from fastpay import limits
from fastpay.clock import Clock
from fastpay.engine.dependency_ports import NoPart, NoParts, Parts
from fastpay.engine.processors.configuration_ports import Configured, Secrets
from fastpay.engine.processors.ports import Processor
from fastpay.outbound.http import HttpClient
from fastpay.outbound.processors.calls import Calls
from fastpay.outbound.processors.contract import ContractProcessor
from fastpay.outbound.processors.dialect import DialectProcessor
from fastpay.outbound.processors.guarding import GuardedProcessor
from fastpay.outbound.processors.unusable import UnusableProcessor


class ProcessorMaker:
    """Satisfies `Maker`. It belongs to the event loop of its first request.

    Each enabled processor is a part of `dependency`.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        arrival_s: int = limits.processor_arrival_s,
        dependency: Parts = NoParts(),  # noqa: B008  it has no state
    ) -> None:
        self._clock = clock
        self._dependency = dependency
        self._guarded: set[GuardedProcessor] = set()
        self._arrival_s = arrival_s
        self._client = HttpClient(
            connections_max=limits.processor_connections_max,
            answer_bytes_max=limits.processor_answer_bytes_max,
            idle_connection_ms=limits.processor_idle_connection_ms,
        )

    def make(self, configured: Configured, secrets: Secrets) -> Processor:
        """Return a processor as it is configured, behind a circuit breaker of its own."""
        made = self._make(configured, secrets)
        shown = {"processor": configured.name, "url": configured.url}
        part = self._dependency.part() if configured.is_enabled else NoPart()
        guarded = GuardedProcessor(made, clock=self._clock, shown=shown, part=part)
        self._guarded.add(guarded)
        return guarded

    def discard(self, processor: Processor) -> None:
        """Forget a processor that no new order goes to: however it does, nobody depends on it."""
        if isinstance(processor, GuardedProcessor):
            self._guarded.discard(processor)
            self._dependency.discard(processor.part)

    def failing(self) -> frozenset[Processor]:
        """Return the processors that are left alone."""
        return frozenset(one for one in self._guarded if one.is_failing)

    async def probe(self) -> None:
        """Ask those that are left alone whether they work again."""
        await asyncio.gather(*(one.probe() for one in self._guarded if one.is_failing))

    async def close(self) -> None:
        """Close all connections."""
        await self._client.close()

    def _make(self, configured: Configured, secrets: Secrets) -> Processor:
        calls = Calls(self._client, configured.url, clock=self._clock)
        if configured.kind == "http":
            try:
                return ContractProcessor(calls, secrets, configured.url, arrival_s=self._arrival_s)
            except ValueError as error:
                return UnusableProcessor(str(error))
        is_basic = configured.kind == "localstripe"
        return DialectProcessor(calls, secrets, is_basic=is_basic, arrival_s=self._arrival_s)
