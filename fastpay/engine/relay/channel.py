"""Delivers to one endpoint: reads its part of the log, and decides what is sent when.

Nothing here waits in a loop. `pump` does what can be done now. It is called when something was committed,
when an attempt or a read has ended, when a time has come, and after a lease was lost and renewed.
"""

import asyncio
from collections.abc import Set

from fastpay import limits
from fastpay.domain.identifiers import digits
from fastpay.domain.webhook_endpoints import PING
from fastpay.engine.relay.attempts import Attempts
from fastpay.engine.relay.circuit import Circuit
from fastpay.engine.relay.event_log import Form
from fastpay.engine.relay.lease_ports import Lease, Parked, Record
from fastpay.engine.relay.ports import EndpointConfiguration
from fastpay.engine.relay.progress import Entry, Progress
from fastpay.engine.relay.replaying import Replaying
from fastpay.engine.relay.shared import Shared
from fastpay.engine.relay.window import Rate, Window
from fastpay.errors import FastpayError
from fastpay.observability import telemetry

_log = telemetry.Log("fastpay.relay")


class Channel:
    """One endpoint that this instance holds. `end` is how far its tenant's sequence is known to have come."""

    def __init__(self, shared: Shared, lease: Lease, configuration: EndpointConfiguration) -> None:
        endpoint = configuration.endpoint
        start = endpoint.start_after_sequence
        self.name, self.fence = lease.name, lease.fence
        self.configuration = configuration
        self.form = Form(payload=endpoint.payload, api_version=endpoint.api_version)
        self.types = endpoint.wanted_types() | {PING}
        self.circuit = Circuit(
            failures=lease.failures, failing_since_ms=lease.failing_since_ms, resume_ms=lease.resume_ms
        )
        self.progress = Progress(
            endpoint.order,  # type: ignore[arg-type] # the API allows no other
            position=start if lease.position is None else lease.position,
            previous=start if lease.position is None else lease.previous,
            parked=map(_entry, lease.parked),
        )
        # Of the exceptions as they are stored.
        self._generation, self._changes = lease.generation, lease.changes
        self.end = self.progress.position
        self.find_replay = shared.find_replay
        self._shared = shared
        self._window = Window()
        self._rate = Rate(endpoint.requests_per_second)
        self._is_stale = False
        # What is above this, up to `end`, is not wanted: it need not be read.
        self._wanted_through = self.end
        self._reading: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        # Whether it is being disabled: nothing is sent until that is known to have happened, or not.
        self._is_halted = False
        # Whether nothing may begin before a time that the timer waits for, whatever is committed meanwhile.
        self._is_paused = False
        # Whether `pump` is called by this turn of the loop, or at the beginning of the next one.
        self._is_woken = False
        self.is_leaving = False
        self.attempts = Attempts(self, shared)
        self.replaying = Replaying(
            self,
            shared.log,
            shared.spare,
            shared.peak,
            replayed=lease.replayed,
            through=lease.replayed_through,
        )

    def heard(self, sequence: int | None, *, before: int = 0, types: Set[str] | None = None) -> None:
        """Note how far the tenant's sequence has come, further than is known if that is None.

        `types` are those of all events above `before`, None if they are not known.
        """
        if sequence is None:
            self._is_stale = True
        elif sequence > self.end:
            if types is None or before != self.end or not self.types.isdisjoint(types):
                self._wanted_through = sequence
            self.end = sequence
        if not self._is_paused and not self._pass_unwanted():
            self.pump()

    def halt(self) -> None:
        """Begin nothing more, until the endpoint is configured anew."""
        self._is_halted = True

    def touch(self) -> None:
        """Have the state stored."""
        self._shared.recorder.touch(self)

    def configure(self, configuration: EndpointConfiguration) -> bool:
        """Take a new version over. Return False if the endpoint has to be claimed anew for it."""
        before, after = self.configuration.endpoint, configuration.endpoint
        if after.status != "enabled":
            # When it is enabled again, it begins without a past.
            self.circuit.succeeded()
            return False
        if _fixed(before) != _fixed(after):
            return False
        self.configuration = configuration
        self._is_halted = False
        self.attempts.renew_target()
        if before.requests_per_second != after.requests_per_second:
            self._rate = Rate(after.requests_per_second)
        if before.url != after.url:
            self.circuit.succeeded()
            self.progress.hasten()
        self._shared.reports.compare(self)
        self.touch()
        self.pump()
        return True

    def pump_soon(self) -> None:
        """Call `pump` once for all attempts that end in this turn of the loop."""
        if not self._is_woken:
            self._is_woken = True
            asyncio.get_running_loop().call_soon(self.pump)

    def pump(self) -> None:
        """Send what may be sent now, read more if little is left, and come back when more may be sent."""
        self._is_paused = self._is_woken = False
        if self.is_leaving or self._is_halted or not self._shared.may_send():
            return
        now_ms, now_ns = self._shared.clock.now_ms(), self._shared.clock.monotonic_ns()
        while (entry := self._next(now_ms, now_ns)) is not None:
            self.begin(entry, self.progress, self._window)
        self.replaying.pump(now_ms, now_ns)
        self._read_on(now_ms)
        self._set_timer(now_ms, now_ns)

    @property
    def has_live_waiting(self) -> bool:
        """Whether there are live events that could not begin yet."""
        return self.progress.waiting > 0

    def share(self, now_ms: int, now_ns: int) -> int:
        """Return how many attempts of one sort may be in flight now, none if none may begin."""
        if not self.circuit.may_send(now_ms) or self._wait_ns(now_ns):
            return 0
        share = self._shared.slots.share()
        if not share:
            self._shared.slots.wait(self.pump)
        return min(share, 1) if self.circuit.is_failing else share

    def begin(self, entry: Entry, progress: Progress, window: Window) -> None:
        """Begin an attempt."""
        self.circuit.began()
        now_ns = self._shared.clock.monotonic_ns()
        self._rate.began(now_ns)
        self._shared.peak.began(now_ns)
        is_replay = progress is not self.progress
        self._shared.spare.began(now_ns, is_replay=is_replay)
        if not is_replay:
            self.replaying.live_began()
        self._shared.slots.take()
        self.attempts.begin(entry, progress, window)

    def record(self) -> Record:
        """Return the state to store, with the exceptions that have changed."""
        progress, circuit = self.progress, self.circuit
        changed = list(progress.changed.items())
        generation, changes = self._generation, self._changes + len(changed)
        kept = [entry for _, entry in changed if entry is not None]
        if changes > limits.relay_generation_changes_max:
            # It stays too many until it is stored, so what is not known to be stored is stored the same way.
            generation, kept = generation + 1, list(progress.parked.values())
            changes = len(kept)
        return Record(
            name=self.name,
            fence=self.fence,
            position=progress.position,
            previous=progress.previous,
            failures=circuit.failures,
            failing_since_ms=circuit.failing_since_ms,
            resume_ms=circuit.resume_ms,
            replayed=self.replaying.replayed,
            replayed_through=self.replaying.through,
            version=self.configuration.version,
            generation=generation,
            changes=changes,
            delivered_through=progress.delivered_through,
            kept=[_parked(entry) for entry in kept],
            removed=[sequence for sequence, entry in changed if entry is None],
        )

    def recorded(self, record: Record) -> None:
        """Note that a state is stored."""
        self._generation, self._changes = record.generation, record.changes

    async def leave(self, grace_ms: int) -> None:
        """Begin nothing more, and wait for what is in flight; after `grace_ms` end it."""
        self.is_leaving = True
        self._shared.slots.forget(self.pump)
        if self._timer is not None:
            self._timer.cancel()
        await self.attempts.end(grace_ms)
        reads = [task for task in (self._reading, self.replaying.reading) if task is not None]
        for task in reads:
            task.cancel()
        await asyncio.gather(*reads, return_exceptions=True)
        self.progress.settle()
        self.touch()

    def _next(self, now_ms: int, now_ns: int) -> Entry | None:
        share, progress = self.share(now_ms, now_ns), self.progress
        if not share:
            return None
        if self.circuit.is_failing:
            due_ms = progress.next_due_ms()
            # A probe is a retry if there is one: a first attempt that fails is one more exception.
            is_retry = due_ms is not None and due_ms <= now_ms
            in_flight = progress.in_flight + 1
            return progress.take(now_ms, first_max=0 if is_retry else in_flight, retries_max=in_flight)
        if progress.waiting and progress.first_in_flight >= share:
            self._shared.slots.wait(self.pump)
        first_max, retries_max = min(self._window.size, share), min(self._window.retries, share)
        return progress.take(now_ms, first_max=first_max, retries_max=retries_max)

    @property
    def _is_behind(self) -> bool:
        return self._is_stale or self.progress.read_through < self.end

    def _pass_unwanted(self) -> bool:
        """Pass what need not be read, so that an endpoint that wants little asks the database for little."""
        progress = self.progress
        if self._reading is not None or not self._wanted_through <= progress.read_through < self.end:
            return False
        progress.offer([], self.end)
        self.touch()
        return True

    def _read_on(self, now_ms: int) -> None:
        progress = self.progress
        self._pass_unwanted()
        if self._reading is not None or not self._is_behind or progress.waiting > self._window.size:
            return
        if self.circuit.state(now_ms) == "open":
            # Nothing of it could be sent.
            return
        if progress.line_length >= limits.relay_line_max // 2:
            # Something slow holds what was acknowledged behind it.
            progress.settle()
        if progress.line_length < limits.relay_line_max:
            self._is_stale = False
            self._reading = asyncio.create_task(self._read(), name="relay channel")

    async def _read(self) -> None:
        progress, pause_ms = self.progress, 0
        try:
            page = await self._shared.log.read(self.name.scope, progress.read_through, self.types, self.form)
        except FastpayError:
            self._is_stale, pause_ms = True, limits.relay_pause_ms
        except Exception:  # noqa: BLE001  nothing is passed over: it is read again
            _log.exception("relay_read_failed", endpoint=self.name.endpoint_id)
            self._is_stale, pause_ms = True, limits.relay_pause_ms
        else:
            # A ping is for one endpoint.
            own = digits(self.name.endpoint_id)
            progress.offer(
                [one for one in page.events if one.type != PING or one.object_id == own], page.through
            )
            if page.end > self.end:
                self.end = self._wanted_through = page.end
            self.touch()
        finally:
            self._reading = None
        if pause_ms:
            self._wake_in(pause_ms)
        else:
            self.pump()

    def _set_timer(self, now_ms: int, now_ns: int) -> None:
        """Come back when the next attempt is due, unless something else calls `pump` before.

        If nothing may be sent before that, a commit costs a look at a flag.
        """
        progress = self.progress
        due_ms = progress.next_due_ms()
        waits_ms = [
            0 if progress.waiting or self._is_behind else None,
            None if due_ms is None else due_ms - now_ms,
            self.replaying.wait_ms(now_ms, now_ns),
        ]
        least_ms = max(self.circuit.resume_ms - now_ms, self._wait_ns(now_ns) / 1e6)
        # What could begin now and did not waits for the end of something in flight, which calls `pump`, or
        # for a place among the exceptions, until one of them is due.
        later_ms = [wait for one in waits_ms if one is not None and (wait := max(one, least_ms)) > 0]
        if later_ms:
            self._wake_in(min(later_ms))
            self._is_paused = least_ms > 0

    def _wait_ns(self, now_ns: int) -> int:
        return max(self._rate.wait_ns(now_ns), self._shared.peak.wait_ns(now_ns))

    def _wake_in(self, wait_ms: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        wait_ms = min(wait_ms, limits.relay_timer_max_ms)
        self._timer = asyncio.get_running_loop().call_later(wait_ms / 1000, self.pump)


def _fixed(endpoint: object) -> tuple[object, ...]:
    """Return what a channel cannot change while it has events on their way."""
    names = ("order", "enabled_events", "payload", "api_version")
    return tuple(getattr(endpoint, name) for name in names)


def _entry(parked: Parked) -> Entry:
    entry = Entry(parked.sequence, parked.previous, parked.object_digits, attempts=parked.attempts)
    entry.due_ms = parked.due_ms
    return entry


def _parked(entry: Entry) -> Parked:
    return Parked(entry.sequence, entry.previous, entry.object_id, entry.attempts, entry.due_ms)
