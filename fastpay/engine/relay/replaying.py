"""Delivers a part of the log again: a second cursor beside the live one.

A replay takes what live deliveries leave: it reads and renders short pages, since live deliveries wait while
one is rendered, and all replays of an instance together are slower, the more live deliveries there are. While
live events of the endpoint wait, one event of a replay follows after `relay_live_per_replayed` of them.

Replays of one endpoint are done one after the other. An event that fails again is attempted three times, and
is then left to whoever asked. A replay waits while the endpoint fails; a single event is attempted once, and
at once.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

from fastpay import limits
from fastpay.domain import events
from fastpay.domain.identifiers import digits
from fastpay.domain.webhook_endpoints import PING, WebhookReplay
from fastpay.engine.relay.circuit import Circuit
from fastpay.engine.relay.event_log import EventLog, Form
from fastpay.engine.relay.peak import Peak
from fastpay.engine.relay.ports import EndpointName
from fastpay.engine.relay.progress import Entry, Progress
from fastpay.engine.relay.window import Spare, Window
from fastpay.errors import FastpayError

# Returns the first replay of an endpoint behind the one with these digits.
FindReplay = Callable[[EndpointName, str], Awaitable[WebhookReplay | None]]


class Replayed(Protocol):
    """An endpoint, as far as a replay needs it."""

    name: EndpointName
    types: frozenset[str]
    form: Form
    circuit: Circuit
    find_replay: FindReplay

    @property
    def has_live_waiting(self) -> bool:
        """Whether there are live events that could not begin yet."""

    def share(self, now_ms: int, now_ns: int) -> int:
        """Return how many attempts of one sort may be in flight now, none if none may begin."""

    def begin(self, entry: Entry, progress: Progress, window: Window) -> None:
        """Begin an attempt."""

    def pump(self) -> None:
        """Do what can be done now."""

    def touch(self) -> None:
        """Have the state stored."""


class Replaying:
    """The replays of one endpoint. `replayed` are the digits of the last one that has ended."""

    def __init__(
        self, channel: Replayed, log: EventLog, spare: Spare, peak: Peak, *, replayed: str, through: int
    ) -> None:
        self._channel = channel
        self._log = log
        self._spare = spare
        self._peak = peak
        self.replayed = replayed
        # How far the replay behind it has come.
        self.through = through
        self._replay: WebhookReplay | None = None
        self._progress: Progress | None = None
        self._window = Window()
        self._is_wanted = False
        # How many live events have begun since the last one of a replay.
        self._live_begun = 0
        self.reading: asyncio.Task[None] | None = None

    def wait_ms(self, now_ms: int, now_ns: int) -> float | None:
        """Return how long the next attempt has to wait, None if there is none."""
        progress = self._progress
        if progress is None:
            return None
        spare_ms = self._spare_ns(now_ns) / 1e6
        if progress.waiting and not self._channel.circuit.is_failing:
            return spare_ms
        due_ms = progress.next_due_ms()
        return None if due_ms is None else max(due_ms - now_ms, spare_ms)

    def heard(self) -> None:
        """Note that a replay was asked for."""
        if self._replay is None:
            self._is_wanted = True
            self._channel.pump()

    def live_began(self) -> None:
        """Note that a live event begins."""
        self._live_begun += 1

    def pump(self, now_ms: int, now_ns: int) -> None:
        """Send what may be sent now, and read what follows."""
        progress, replay = self._progress, self._replay
        if progress is None or replay is None:
            if self._is_wanted and self.reading is None:
                self._is_wanted = False
                self.reading = asyncio.create_task(self._begin(), name="relay replay")
            return
        while (entry := self._next(progress, replay, now_ms, now_ns)) is not None:
            self._live_begun = 0
            self._channel.begin(entry, progress, self._window)
        self.through = progress.position
        if progress.read_through < replay.to_sequence:
            is_short = progress.waiting <= limits.relay_replay_window
            if is_short and progress.line_length < limits.relay_line_max and self.reading is None:
                self.reading = asyncio.create_task(self._read(progress, replay), name="relay replay")
        elif progress.is_complete:
            self._end(replay)

    def _spare_ns(self, now_ns: int) -> int:
        return self._spare.wait_ns(now_ns, is_short=self._peak.is_short)

    def _next(self, progress: Progress, replay: WebhookReplay, now_ms: int, now_ns: int) -> Entry | None:
        if replay.event is None:
            if self._channel.circuit.is_failing or self._spare_ns(now_ns):
                return None
            if self._channel.has_live_waiting and self._live_begun < limits.relay_live_per_replayed:
                return None
            share = min(self._channel.share(now_ms, now_ns) // 2, limits.relay_replay_window)
        else:
            share = 1
        return progress.take(now_ms, first_max=share, retries_max=share)

    def _end(self, replay: WebhookReplay) -> None:
        self.replayed, self.through = digits(replay.id), 0
        self._replay = self._progress = None
        # Another one may wait behind it.
        self._is_wanted = True
        self._channel.touch()
        asyncio.get_running_loop().call_soon(self._channel.pump)

    async def _begin(self) -> None:
        channel, log, scope = self._channel, self._log, self._channel.name.scope
        try:
            replay = await channel.find_replay(channel.name, self.replayed)
            if replay is None:
                return
            position = max(replay.from_sequence - 1, self.through)
            previous = await log.previous(scope, position + 1, channel.types - {PING})
            is_single = replay.event is not None
            progress = Progress(
                "parallel",
                position=position,
                previous=previous,
                exceptions_max=0,
                attempts_max=1 if is_single else limits.relay_replay_attempts,
            )
            if is_single:
                logged = await log.read_one(scope, replay.from_sequence, channel.form)
                progress.offer([] if logged is None else [logged], replay.to_sequence)
            self._replay, self._progress = replay, progress
        except FastpayError:
            # The next beat tells of it again.
            pass
        finally:
            self.reading = None
        channel.pump()

    async def _read(self, progress: Progress, replay: WebhookReplay) -> None:
        channel = self._channel
        try:
            page = await self._log.read(
                channel.name.scope,
                progress.read_through,
                channel.types - {PING},
                channel.form,
                limit=limits.relay_replay_page_events,
            )
        except FastpayError:
            # The next beat calls `pump`.
            return
        finally:
            self.reading = None
        types = frozenset().union(*map(events.matching, replay.types)) if replay.types else None
        through = min(page.through, replay.to_sequence)
        progress.offer([one for one in page.events if one.sequence <= through], through, types=types)
        channel.touch()
        channel.pump()
