"""A channel over ports of the test's own: the log, the receiver and what is stored."""

import asyncio
from collections.abc import Collection, Sequence, Set
from typing import cast

from fastpay.domain.identifiers import Scope
from fastpay.domain.webhook_endpoints import WebhookEndpoint, WebhookReplay
from fastpay.engine.relay.channel import Channel
from fastpay.engine.relay.event_log import EventLog, Form, LogPage
from fastpay.engine.relay.lease_ports import Lease, LeaseStore, MadeAttempt, Record
from fastpay.engine.relay.peak import Peak
from fastpay.engine.relay.ports import Delivery, DeliveryOutcome, EndpointConfiguration, EndpointName
from fastpay.engine.relay.progress import Logged
from fastpay.engine.relay.recorder import Recorder
from fastpay.engine.relay.reports import Reports
from fastpay.engine.relay.shared import Shared
from fastpay.engine.relay.slots import Slots
from fastpay.engine.relay.window import Spare
from tests.unit.engine.hand_clock import HandClock

SCOPE = Scope("1" * 32, livemode=False)
NAME = EndpointName(SCOPE, "we_" + "2" * 32)
# Of all events.
TYPE = "customer.created"


class Log:
    """A log with an event at each number up to `end`. `reads` are the numbers that were read behind."""

    def __init__(self) -> None:
        self.end = 0
        self.reads: list[int] = []
        self.is_slow = False
        self._may_return = asyncio.Event()

    def go_on(self) -> None:
        """Let slow reads return what they have found."""
        self._may_return.set()

    async def read(
        self, scope: Scope, after: int, types: frozenset[str], form: Form, *, limit: int = 100
    ) -> LogPage:
        """Return a page."""
        self.reads.append(after)
        end, through = self.end, min(self.end, after + limit)
        if self.is_slow:
            await self._may_return.wait()
        numbers = range(after + 1, through + 1) if TYPE in types else ()
        return LogPage([logged(number) for number in numbers], through, end)

    async def read_one(self, scope: Scope, sequence: int, form: Form) -> Logged:
        """Return one event."""
        self.reads.append(sequence - 1)
        return logged(sequence)

    async def previous(self, scope: Scope, sequence: int, types: frozenset[str]) -> int:
        """Return the number before."""
        return sequence - 1


class Receiver:
    """Notes the numbers of what was begun, and answers when it is told to, with `status`."""

    def __init__(self) -> None:
        self.begun: list[int] = []
        self.status = 200
        self._waiting: list[asyncio.Future[None]] = []

    async def deliver(self, delivery: Delivery) -> DeliveryOutcome:
        """Make an attempt."""
        self.begun.append(delivery.sequence)
        answered: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(answered)
        await answered
        return DeliveryOutcome(status=self.status)

    @property
    def in_flight(self) -> int:
        """How many attempts wait for an answer."""
        return len(self._waiting)

    async def answer(self, place: int | None = None) -> None:
        """Answer one attempt, all by default, and let the channel go on."""
        chosen = self._waiting if place is None else [self._waiting[place]]
        self._waiting = [one for one in self._waiting if one not in chosen]
        for answered in chosen:
            answered.set_result(None)
        await settle()

    async def close(self) -> None:
        """Close nothing."""


class Store:
    """Stores nothing."""

    async def record(
        self, instance_id: str, records: Sequence[Record], attempts: Sequence[MadeAttempt]
    ) -> Collection[tuple[EndpointName, int]]:
        """Say that all of it is held."""
        return {(one.name, one.fence) for one in records}


class World:
    """A channel of an endpoint that wants all events, with what it works with."""

    def __init__(self, *, replays: Sequence[WebhookReplay] = (), start: int = 0) -> None:
        """The endpoint wants what is behind `start`, and these replays."""
        self.clock, self.log, self.receiver = HandClock(), Log(), Receiver()
        self.log.end = start
        waiting = list(replays)

        async def find_replay(name: EndpointName, after: str) -> WebhookReplay | None:
            return waiting.pop(0) if waiting else None

        async def submit(scope: Scope, command: object) -> None:
            """Take the report."""

        recorder = Recorder(
            cast("LeaseStore", Store()), "3" * 32, clock=self.clock, fenced=lambda channel: None
        )
        shared = Shared(
            clock=self.clock,
            deliverer=self.receiver,
            log=cast("EventLog", self.log),
            slots=Slots(),
            spare=Spare(),
            peak=Peak(lambda: 0),
            recorder=recorder,
            reports=Reports(submit),
            may_send=lambda: True,
            find_replay=find_replay,
        )
        endpoint = WebhookEndpoint(
            id=NAME.endpoint_id,
            created=1,
            url="http://127.0.0.1/",
            enabled_events=("*",),
            start_after_sequence=start,
        )
        configuration = EndpointConfiguration(scope=SCOPE, endpoint=endpoint, version=1, secrets=())
        self.channel = Channel(shared, Lease(name=NAME, fence=1), configuration)

    async def commit(self, events: int = 1, *, types: Set[str] | None = None) -> None:
        """Have so many more events, and tell the channel, with their types if these are given."""
        before = self.log.end
        self.log.end += events
        self.channel.heard(self.log.end, before=before, types=types)
        await settle()


def logged(number: int) -> Logged:
    """Return the event with a number."""
    return Logged(number, f"evt_{number:032x}", TYPE, f"{number:032x}", b"{}")


async def settle() -> None:
    """Let everything run that can."""
    for _ in range(50):
        await asyncio.sleep(0)
