"""Instances with homes in one process, on a real database and over real sockets that can be held up."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import msgspec

from fastpay.domain.identifiers import Scope
from fastpay.domain.plan import Command
from fastpay.engine.homes import messages
from fastpay.engine.homes.choice import choose_home, homes_among
from fastpay.engine.homes.homes import Homes
from fastpay.engine.homes.membership import Membership
from fastpay.engine.homes.ports import Member
from fastpay.engine.ports import Outcome, Submission
from fastpay.operations.homes import Observers
from fastpay.server.frames import FrameNetwork, FrameWire
from fastpay.store.members import PostgresMembers
from tests.support.engine import CLOCK, Engine, engine
from tests.support.servers import PATIENCE_SECONDS


class Cable:
    """A wire whose frames can be held up. Satisfies `Wire`, for the instance that asks."""

    def __init__(self, wire: FrameWire) -> None:
        self.received: Callable[[bytes], None] = lambda _: None
        self.lost: Callable[[], None] = lambda: None
        self.wire = wire
        self.holds_questions = False
        self.holds_answers = False
        self._held: list[tuple[Callable[[bytes], None], bytes]] = []
        wire.received = self._receive
        wire.lost = self._lose

    @property
    def is_full(self) -> bool:
        """As the wire."""
        return self.wire.is_full

    def send(self, frame: bytes) -> None:
        """Send a frame, or hold it."""
        if self.holds_questions:
            self._held.append((self.wire.send, frame))
        else:
            self.wire.send(frame)

    def close(self) -> None:
        """As the wire."""
        self.wire.close()

    def abort(self) -> None:
        """End for the asking instance. What is held can still get to the home."""
        if not self._held:
            self.wire.abort()

    def release(self) -> None:
        """Let everything through that was held."""
        self.holds_questions = self.holds_answers = False
        held, self._held = self._held, []
        for pass_on, frame in held:
            pass_on(frame)

    def _lose(self) -> None:
        self.lost()

    def _pass_on(self, frame: bytes) -> None:
        self.received(frame)

    def _receive(self, frame: bytes) -> None:
        if self.holds_answers:
            self._held.append((self._pass_on, frame))
        else:
            self.received(frame)


class CableNetwork(FrameNetwork):
    """Connects by cables, which it keeps. `connects` is False while nobody can be reached."""

    def __init__(self, socket_name: str) -> None:
        super().__init__(socket_name)
        self.cables: list[Cable] = []
        self.connects = True

    async def connect(self, socket_name: str, address: str | None) -> Cable:  # type: ignore[override]
        """Connect by a cable. Raises: OSError."""
        if not self.connects:
            raise ConnectionRefusedError
        self.cables.append(Cable(await super().connect(socket_name, address)))
        return self.cables[-1]


class Instance:
    """An engine with homes."""

    def __init__(self, own: Engine, homes: Homes, network: CableNetwork, membership: Membership) -> None:
        self.engine = own
        self.homes = homes
        self.network = network
        self.membership = membership

    @property
    def member_id(self) -> str:
        """The identifier of this member."""
        return self.homes._own.member_id

    @property
    def cable(self) -> Cable:
        """The newest cable to another instance."""
        return self.network.cables[-1]

    def submission(self, command: Command, scope: Scope, *, key: str | None = None) -> Submission:
        """Return a submission with fresh identifiers."""
        return self.engine.submission(command, scope, key=key)

    async def submit(self, command: Command, scope: Scope, *, key: str | None = None) -> Outcome:
        """Carry a command out as a request of this instance."""
        self.homes.admit(scope)
        return await self.homes.submit(self.submission(command, scope, key=key))

    def count(self, name: str) -> int:
        """Return a counter."""
        return self.homes.counts()[f"homes_{name}"]


@asynccontextmanager
async def instance(database_url: str, release: str = "this") -> AsyncIterator[Instance]:
    """Run an instance for the block."""
    async with engine(database_url) as own:
        member_id = CLOCK.random_bytes(16).hex()
        network = CableNetwork(f"fastpay-test-{member_id}")
        membership = Membership(PostgresMembers(own.pool), own.reads, clock=CLOCK)
        homes = Homes(
            Member(member_id, release, f"fastpay-test-{member_id}"),
            own.writer,
            network,
            membership,
            follower=own.reader,
            clock=CLOCK,
        )
        observers = Observers(own.reader)
        observers.add(homes.serving)
        own.writer.loop._observer = observers
        await homes.open()
        try:
            yield Instance(own, homes, network, membership)
        finally:
            await homes.close()


async def introduce(*instances: Instance) -> None:
    """Have all know and reach each other."""
    for one in instances:
        await one.membership.read_moment()
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not all(  # noqa: ASYNC110  connections come by themselves
            link.is_open and len(one.homes._links) == len(instances) - 1
            for one in instances
            for link in one.homes._links.values()
        ):
            await asyncio.sleep(0.005)


def home_of(scope: Scope, *instances: Instance) -> tuple[Instance, Instance]:
    """Return the home of a tenant while one is enough, and another instance."""
    by_id = {one.member_id: one for one in instances}
    home = by_id[choose_home(scope, homes_among(by_id, 1))]
    return home, next(one for one in instances if one is not home)


def rewritten(frame: bytes, change: Callable[[messages.Answered], messages.Answered]) -> bytes:
    """Return a frame with other answers in it."""
    message = messages.decode(frame)
    if not isinstance(message, messages.Answers):
        return frame
    answered = [change(one) for one in message.answered]
    return messages.encode(msgspec.structs.replace(message, answered=answered))
