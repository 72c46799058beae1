"""A circuit breaker around a processor, so that one which does not answer delays few payments.

It opens after `relay_circuit_failures` orders in a row were not sent or have no known outcome. While it is
open nothing is sent, so that a payment goes to another processor or ends at once. After a pause the next
order first asks whether the processor works, which moves no money; only then it is sent, and its outcome
closes the circuit or opens it for longer. Inquiries and webhooks always pass.

A processor that is left alone is a lost part of the dependency `processors`. It is asked after each pause,
also without an order, and the part is back as soon as it answers.
"""

from collections.abc import Callable, Mapping
from typing import Protocol

from fastpay import limits
from fastpay.clock import Clock
from fastpay.engine.dependency_ports import Part
from fastpay.engine.processors.ports import Ignored, Notice, Order, Outcome, Processor
from fastpay.engine.relay.circuit import Circuit
from fastpay.observability import telemetry

_FAILURES = frozenset({"not_sent", "unknown"})

_log = telemetry.Log("fastpay.processors")


class _SendNowait(Protocol):
    def __call__(self, order: Order, done: Callable[[Outcome], None], *, timeout_ms: int) -> bool:
        """As `PromptProcessor.send_nowait`."""


class GuardedProcessor:
    """Satisfies `Processor`. `shown` names it in the log, and `part` hears whether it is left alone."""

    def __init__(self, processor: Processor, *, clock: Clock, shown: Mapping[str, str], part: Part) -> None:
        self.declaration = processor.declaration
        self.part = part
        self._processor = processor
        self._send_nowait: _SendNowait | None = getattr(processor, "send_nowait", None)
        self._clock = clock
        self._shown = shown
        self._circuit = Circuit(probe_max_ms=limits.processor_probe_max_ms)
        # It has answered since the circuit opened, and no order was tried after that.
        self._has_answered = False

    @property
    def is_failing(self) -> bool:
        """Whether it is left alone, or was and no order has succeeded since."""
        return self._circuit.is_failing

    async def carry_out(self, order: Order, *, timeout_ms: int) -> Outcome:
        """Send an order once if the circuit allows it, and return what is known."""
        if self._circuit.is_failing:
            return await self._try_again(order, timeout_ms)
        outcome = await self._processor.carry_out(order, timeout_ms=timeout_ms)
        if self._circuit.failures or outcome.status in _FAILURES:
            self._note(outcome)
        return outcome

    def send_nowait(self, order: Order, done: Callable[[Outcome], None], *, timeout_ms: int) -> bool:
        """Send an order once within this turn of the event loop, or return False. See `PromptProcessor`."""
        send = self._send_nowait
        # After a failure the next order may have to ask first.
        if send is None or self._circuit.is_failing:
            return False

        def answered(outcome: Outcome) -> None:
            if self._circuit.failures or outcome.status in _FAILURES:
                self._note(outcome)
            done(outcome)

        return send(order, answered, timeout_ms=timeout_ms)

    async def inquire(self, order: Order, *, timeout_ms: int) -> Outcome | None:
        """Return what became of an order that was sent before."""
        return await self._processor.inquire(order, timeout_ms=timeout_ms)

    def receive(self, headers: Mapping[str, str], body: bytes) -> Notice | Ignored | None:
        """Return what a webhook of the processor says."""
        return self._processor.receive(headers, body)

    async def check(self, *, timeout_ms: int) -> str | None:
        """Return None if the processor answers and accepts our credentials, or else the reason."""
        return await self._processor.check(timeout_ms=timeout_ms)

    async def probe(self) -> None:
        """Ask whether it works again, if it is left alone and the pause is over. No money moves."""
        if not self.is_failing or self._has_answered or not self._circuit.may_send(self._clock.now_ms()):
            return
        self._circuit.began()
        try:
            reason = await self._check(limits.processor_check_timeout_ms)
        finally:
            self._circuit.abandoned()
        if reason is None:
            self._has_answered = True
            self.part.back()
        else:
            self._circuit.began()
            self._fail(reason)

    async def _try_again(self, order: Order, timeout_ms: int) -> Outcome:
        """Send an order after a pause, if the processor answers that it works."""
        if not self._circuit.may_send(self._clock.now_ms()):
            return Outcome(status="not_sent", reason="the processor has failed lately, and is left alone")
        self._circuit.began()
        outcome = None
        try:
            begun_ns = self._clock.monotonic_ns()
            reason = await self._check(timeout_ms)
            timeout_ms -= (self._clock.monotonic_ns() - begun_ns) // 1_000_000
            if reason is None:
                outcome = await self._processor.carry_out(order, timeout_ms=timeout_ms)
            else:
                outcome = Outcome(status="not_sent", reason=reason)
        finally:
            # It was cancelled.
            if outcome is None:
                self._circuit.abandoned()
        self._note(outcome)
        return outcome

    async def _check(self, timeout_ms: int) -> str | None:
        return await self._processor.check(timeout_ms=min(timeout_ms, limits.processor_check_timeout_ms))

    def _note(self, outcome: Outcome) -> None:
        was_failing = self._circuit.is_failing
        if outcome.status not in _FAILURES:
            if self._circuit.failures:
                self._circuit.succeeded()
                self.part.back()
            if was_failing:
                _log.warning("processor_circuit_closed", **self._shown)
            return
        self._fail(outcome.reason)
        if self.is_failing and not was_failing:
            _log.warning("processor_circuit_opened", **self._shown, reason=outcome.reason)

    def _fail(self, reason: str) -> None:
        self._circuit.failed(self._clock.now_ms(), chance=self._clock.random_bytes(1)[0])
        self._has_answered = False
        if self.is_failing:
            self.part.lost(f"{' at '.join(self._shown.values())}: {reason}")
