"""Makes the attempts of one endpoint, and notes what became of them."""

import asyncio
from typing import Protocol

from fastpay import limits
from fastpay.engine.relay.event_log import Form
from fastpay.engine.relay.ports import Attempt, Delivery, DeliveryOutcome
from fastpay.engine.relay.progress import Entry, Logged, Progress
from fastpay.engine.relay.recorder import Recorded
from fastpay.engine.relay.reports import Reported
from fastpay.engine.relay.schedule import next_attempt_ms
from fastpay.engine.relay.shared import Shared
from fastpay.engine.relay.window import Window
from fastpay.errors import FastpayError
from fastpay.observability import telemetry

_log = telemetry.Log("fastpay.relay")

_STOPPED = DeliveryOutcome(failure="stopped", excerpt="fastpay stopped before the answer came")
_TOO_MANY_REQUESTS, _UNAVAILABLE, _GONE = 429, 503, 410


class Attempted(Recorded, Reported, Protocol):
    """An endpoint, as far as an attempt needs it."""

    form: Form

    def halt(self) -> None:
        """Begin nothing more, until the endpoint is configured anew."""

    def pump_soon(self) -> None:
        """Do what can be done then."""


class Attempts:
    """What is in flight to one endpoint. `delivered` and `failed` count what has ended."""

    def __init__(self, channel: Attempted, shared: Shared) -> None:
        self._channel = channel
        self._shared = shared
        self._tasks: set[asyncio.Task[None]] = set()
        self.delivered = self.failed = 0
        self.renew_target()

    def begin(self, entry: Entry, progress: Progress, window: Window) -> None:
        """Begin an attempt."""
        attempt = self._attempt(entry, progress, window)
        # `create_task` would make up a name first: see `InFlight.start` of the calls to processors.
        task = asyncio.Task(attempt, loop=asyncio.get_running_loop(), name="delivery")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def end(self, grace_ms: int) -> None:
        """Wait for what is in flight; after `grace_ms` end it."""
        pending = [*self._tasks]
        if pending and grace_ms:
            await asyncio.wait(pending, timeout=grace_ms / 1000)
        for task in pending:
            task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)

    def renew_target(self) -> None:
        """Take over where deliveries go, and by which secrets they are signed now."""
        now_s, configuration = self._shared.clock.now_ms() // 1000, self._channel.configuration
        self._target = configuration.target(now_s)
        self._target_until_s = configuration.changes_at(now_s)

    async def _attempt(self, entry: Entry, progress: Progress, window: Window) -> None:
        clock, number = self._shared.clock, entry.attempts + 1
        sent_ns = clock.monotonic_ns()
        outcome: DeliveryOutcome | None = None
        logged: Logged | None = None
        try:
            logged = entry.logged
            if logged is None:
                logged = await self._shared.log.read_one(
                    self._channel.name.scope, entry.sequence, self._channel.form
                )
            assert logged is not None, "an event that was delivered is gone"
            outcome = await self._shared.deliverer.deliver(self._delivery(entry, logged))
        except asyncio.CancelledError:
            outcome = _STOPPED if logged is not None else None
            raise
        except FastpayError:
            # The database is away. This was no attempt.
            pass
        except Exception:  # noqa: BLE001  one event must not end the others
            _log.exception(
                "delivery_failed", endpoint=self._channel.name.endpoint_id, sequence=entry.sequence
            )
        finally:
            # What is sent again later is read again: until then it costs no memory.
            entry.logged = None
            if logged is None or outcome is None or outcome.failure == "stopped":
                self._channel.circuit.abandoned()
                pause_ms = 0 if self._channel.is_leaving else limits.relay_pause_ms
                progress.give_back(entry, clock.now_ms() + pause_ms)
            else:
                self._settle(entry, outcome, progress, window, sent_ns)
            if logged is not None and outcome is not None:
                self._note(entry, number, logged, outcome)
            self._shared.slots.give()
        self._channel.pump_soon()

    def _delivery(self, entry: Entry, logged: Logged) -> Delivery:
        now_s = self._shared.clock.now_ms() // 1000
        if self._target_until_s is not None and now_s >= self._target_until_s:
            self.renew_target()
        return Delivery(
            target=self._target,
            event_id=logged.event_id,
            sequence=entry.sequence,
            previous_sequence=entry.previous,
            attempt=entry.attempts + 1,
            body=logged.body,
            request_id=logged.request_id,
        )

    def _settle(
        self, entry: Entry, outcome: DeliveryOutcome, progress: Progress, window: Window, sent_ns: int
    ) -> None:
        """Note what became of an attempt."""
        now_ms, chance = self._shared.clock.now_ms(), self._shared.clock.random_bytes(1)[0]
        if outcome.is_delivered:
            self.delivered += 1
            was_failing = self._channel.circuit.is_failing
            self._channel.circuit.succeeded()
            window.succeeded()
            progress.acknowledge(entry)
            if was_failing:
                self._channel.progress.hasten()
        else:
            self.failed += 1
            due_ms = next_attempt_ms(
                entry.attempts + 1, now_ms, chance=chance, retry_after_s=outcome.retry_after_s
            )
            progress.fail(entry, due_ms)
            if outcome.status == _TOO_MANY_REQUESTS:
                self._channel.circuit.refused(now_ms)
            else:
                self._channel.circuit.failed(now_ms, chance=chance)
            if outcome.retry_after_s:
                self._channel.circuit.pause(now_ms + outcome.retry_after_s * 1000)
            is_congested = outcome.status in (_TOO_MANY_REQUESTS, _UNAVAILABLE)
            if is_congested or outcome.failure == "timed_out":
                window.congested(sent_ns=sent_ns, now_ns=self._shared.clock.monotonic_ns())
            if outcome.status == _GONE or self._channel.circuit.is_hopeless(now_ms):
                self._channel.halt()
                self._shared.reports.disable(self._channel, "gone" if outcome.status == _GONE else "failing")
        self._shared.reports.compare(self._channel)

    def _note(self, entry: Entry, number: int, logged: Logged, outcome: DeliveryOutcome) -> None:
        clock = self._shared.clock
        now_ms = clock.now_ms()
        attempt = Attempt(
            digits=f"{now_ms:012x}{clock.random_bytes(10).hex()}",
            created_ms=now_ms,
            event_id=logged.event_id,
            event_type=logged.type,
            sequence=entry.sequence,
            number=number,
            outcome=outcome,
            next_attempt_at=None if entry.is_done else entry.due_ms // 1000,
        )
        self._shared.recorder.add(self._channel, attempt)
