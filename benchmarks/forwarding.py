"""What two instances do for payments that one forwards to the other, beside what both do for any payment.

The writer and the read path are left out, and the connection hands each frame over at once. A call carries
16 payments in one frame. Then what an instance does to hear of payments that others were asked for, here with
the read path: a call is one frame with a commit of each of 32 tenants.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import cast

from benchmarks import samples
from fastpay import limits
from fastpay.clock import SystemClock
from fastpay.domain.identifiers import Scope
from fastpay.domain.plan import Answer, Versioned
from fastpay.engine.homes import codec, messages
from fastpay.engine.homes.link import Link
from fastpay.engine.homes.ports import Follower, Member, OwnWriter, Wire
from fastpay.engine.homes.serving import Serving
from fastpay.engine.ports import Outcome, Reply, Submission
from fastpay.engine.read.reader import Reader
from fastpay.store.reads import PostgresReads

PAYMENTS, TENANTS = 16, 32
_MEMBER = Member("0" * 32, "release", "socket")


class _Wire:
    """Keeps the last frame that was sent."""

    is_full = False

    def __init__(self) -> None:
        self.received: Callable[[bytes], None] = lambda _: None
        self.lost: Callable[[], None] = lambda: None
        self.frame = b""

    def send(self, frame: bytes) -> None:
        self.frame = frame

    def close(self) -> None:
        """End."""

    abort = close


class _Writer:
    """Has one outcome for all, and gives it when it is told to."""

    def __init__(self) -> None:
        self.replies: list[Reply] = []

    def admit(self, scope: object) -> None:
        pass

    def put(self, submission: Submission, reply: Reply) -> None:
        self.replies.append(reply)


class _Follower:
    """Shows nothing."""

    def holds(self, *_: object) -> bool:
        return False

    def heard(self, *_: object) -> None:
        pass

    follow = acknowledged = advanced = ask = show = heard


class _Loop:
    """Stands for the running loop: what it has to call soon is called by `turn`, and nothing else is."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.create_future = loop.create_future
        self._soon: list[Callable[[], object]] = []

    def call_soon(self, callback: Callable[[], object]) -> None:
        self._soon.append(callback)

    def call_later(self, delay: float, callback: Callable[[], object]) -> None:
        pass

    def turn(self) -> None:
        """Call what was asked for since the last turn."""
        soon, self._soon = self._soon, []
        for callback in soon:
            callback()


class Forwarding:
    """Both ends of one connection. `open` on a loop that runs before anything else."""

    def __init__(self, follower: Follower) -> None:
        clock = SystemClock()
        self._asking, self._home, self._writer = _Wire(), _Wire(), _Writer()
        self._serving = Serving(
            _MEMBER,
            cast(OwnWriter, self._writer),
            follower.show,
            clock=clock,
            notice_of_new_ms=limits.home_notice_of_new_ms,
        )
        self._link = Link(_MEMBER, _MEMBER, self, follower=follower, clock=clock, changed=lambda: None)
        self._submissions = [samples.new_submission(number) for number in range(PAYMENTS)]
        intent = samples.new_intent()
        self._outcome = Outcome(
            answer=Answer(intent.id, 1), objects={intent.id: Versioned(intent, version=1, sequence=1)}
        )
        self._frame = b""

    async def open(self) -> None:
        """Have both ends greet each other."""
        self._serving.accept(self._home)
        self._link.start()
        while not self._asking.frame:  # noqa: ASYNC110 - a few turns of the loop
            await asyncio.sleep(0)
        self._home.received(self._asking.frame)
        self._asking.received(self._home.frame)

    async def listen(self, accept: Callable[[Wire], None]) -> None:
        """Listen to nobody."""

    async def connect(self, socket: str, address: str | None) -> Wire:
        """Return the end of who asks."""
        return self._asking

    async def close(self) -> None:
        """Close the connection."""
        await self._link.close()

    def there_and_back(self, turn: Callable[[], None]) -> None:
        """Forward payments, have them carried out, and give the requests what the home answers.

        `turn` is called where the loop would turn.
        """
        futures = [self._link.forward(one) for one in self._submissions]
        turn()
        self._frame = self._asking.frame
        self.serve(turn)
        self._asking.received(self._home.frame)
        for future in futures:
            future.result()

    def hear(self, frame: bytes) -> None:
        """Take a frame of the home."""
        self._asking.received(frame)

    def serve(self, turn: Callable[[], None]) -> None:
        """Carry the last frame of payments out, and answer."""
        self._home.received(self._frame)
        replies, self._writer.replies = self._writer.replies, []
        for reply in replies:
            reply.set_result(self._outcome)
        turn()


@contextmanager
def forwarding(store: PostgresReads) -> Iterator[dict[str, Callable[[], None]]]:
    """Give what both ends do for a frame of payments, what the home does of it, and what all others do.

    `store` is never asked.
    """
    loop, both = asyncio.new_event_loop(), Forwarding(_Follower())
    other = Forwarding(Reader(store, clock=SystemClock()))
    loop.run_until_complete(both.open())
    loop.run_until_complete(other.open())
    fake = _Loop(loop)
    # A loop that runs cannot be had without its own work in the count.
    asyncio._set_running_loop(cast(asyncio.AbstractEventLoop, fake))  # noqa: SLF001
    commits = [codec.encode_commit(Scope(f"{number:032x}", False), 0, 3, ()) for number in range(TENANTS)]
    frame = messages.encode_answers(commits, [])
    try:
        yield {
            "forward 16 payments and serve them": lambda: both.there_and_back(fake.turn),
            "serve 16 forwarded payments": lambda: both.serve(fake.turn),
            "hear of 32 payments of others": lambda: other.hear(frame),
        }
    finally:
        asyncio._set_running_loop(None)  # noqa: SLF001
        for one in (both, other):
            loop.run_until_complete(one.close())
        loop.close()
