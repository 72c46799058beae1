"""Makes processors of what is configured. They share the connections of one HTTP client."""

from fastpay import limits
from fastpay.clock import Clock
from fastpay.engine.processors.configuration_ports import Configured, Secrets
from fastpay.engine.processors.ports import Processor
from fastpay.outbound.http import HttpClient
from fastpay.outbound.processors.calls import Calls
from fastpay.outbound.processors.contract import ContractProcessor
from fastpay.outbound.processors.dialect import DialectProcessor
from fastpay.outbound.processors.guarding import GuardedProcessor
from fastpay.outbound.processors.unusable import UnusableProcessor


class ProcessorMaker:
    """Satisfies `Maker`. It belongs to the event loop of its first request."""

    def __init__(self, *, clock: Clock, arrival_s: int = limits.processor_arrival_s) -> None:
        self._clock = clock
        self._arrival_s = arrival_s
        self._client = HttpClient(
            connections_max=limits.processor_connections_max,
            answer_bytes_max=limits.processor_answer_bytes_max,
            idle_connection_ms=limits.processor_idle_connection_ms,
            tells_unsent=True,
        )

    def make(self, configured: Configured, secrets: Secrets) -> Processor:
        """Return a processor as it is configured, behind a circuit breaker of its own."""
        made = self._make(configured, secrets)
        shown = {"processor": configured.name, "url": configured.url}
        return GuardedProcessor(made, clock=self._clock, shown=shown)

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
