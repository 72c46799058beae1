"""What a home does for the others: it carries out what they forward, and tells them what it commits.

Answers and commits of one loop turn go out in one frame for each connection, commits first. So the other
instance shows a commit no later than it answers the request that caused it. A commit that changes what an
instance may hold is told to it as long as it forwards requests of that tenant.
"""

import asyncio
from collections.abc import Callable, Sequence

import msgspec

from fastpay import limits
from fastpay.clock import Clock
from fastpay.domain.identifiers import Scope
from fastpay.engine.failures import UnknownOutcome
from fastpay.engine.homes import codec, messages
from fastpay.engine.homes.codec import UnsupportedFrame
from fastpay.engine.homes.messages import (
    Answered,
    Answers,
    Committed,
    Forward,
    Forwarded,
    Hello,
    Leaving,
    Ping,
    Pong,
    Welcome,
)
from fastpay.engine.homes.ports import Member, Wire
from fastpay.engine.ports import Commit, Submission, Writer
from fastpay.errors import OutcomeUnknown, WriterStopped
from fastpay.observability import telemetry

_log = telemetry.Log("fastpay.homes")


class Serving:
    """Serves all connections of other members. Satisfies `CommitObserver`."""

    def __init__(self, own: Member, writer: Writer, *, clock: Clock) -> None:
        self._own = own
        self._writer = writer
        self._clock = clock
        self._guests: set[_Guest] = set()
        self._is_leaving = False
        self.served = 0

    def accept(self, wire: Wire) -> None:
        """Serve a connection until it ends."""
        if len(self._guests) >= limits.members_max:
            wire.abort()
            return
        guest = _Guest(wire, self._own, self._writer, clock=self._clock, served=self._count)
        guest.is_leaving = self._is_leaving
        self._guests.add(guest)
        wire.received = guest.receive

        def lose() -> None:
            guest.is_lost = True
            self._guests.discard(guest)

        wire.lost = lose

    def committed(self, commits: Sequence[Commit]) -> None:
        """Tell the members that asked for these tenants what has changed."""
        if self._guests:
            for guest in self._guests:
                guest.tell(commits)

    def leave(self) -> None:
        """Tell everybody to forward nothing more."""
        self._is_leaving = True
        for guest in self._guests:
            guest.leave()

    async def close(self) -> None:
        """Answer what was forwarded, then close the connections."""
        self.leave()
        guests = list(self._guests)
        await asyncio.gather(*(guest.close() for guest in guests))

    def _count(self, commands: int) -> None:
        self.served += commands


class _Guest:
    """A connection from another member."""

    def __init__(
        self, wire: Wire, own: Member, writer: Writer, *, clock: Clock, served: Callable[[int], None]
    ) -> None:
        self._wire = wire
        self._own = own
        self._writer = writer
        self._clock = clock
        self._served = served
        self._is_welcome = False
        self.is_lost = False
        self.is_leaving = False
        # When it last asked for a tenant, on the monotonic clock.
        self._interest: dict[Scope, int] = {}
        self._commits: list[Committed] = []
        self._answered: list[Answered] = []
        self._flushing: asyncio.Handle | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def receive(self, frame: bytes) -> None:
        """Act on a frame, or close the connection if it makes no sense."""
        try:
            message = messages.decode(frame)
            if isinstance(message, Hello):
                self._welcome(message)
            elif not self._is_welcome:
                raise UnsupportedFrame("no greeting")
            elif isinstance(message, Forward):
                self._carry_out(message.submissions)
            elif isinstance(message, Ping):
                self._wire.send(messages.encode(Pong()))
            else:
                raise UnsupportedFrame(type(message).__name__)
        except (msgspec.MsgspecError, UnsupportedFrame) as error:
            _log.error("member_frame_refused", reason=str(error))
            self._wire.abort()

    def tell(self, commits: Sequence[Commit]) -> None:
        """Tell of the commits that it may want to know of."""
        now_ns = self._clock.monotonic_ns()
        for commit in commits:
            asked_ns = self._interest.get(commit.scope)
            if asked_ns is None:
                continue
            if now_ns - asked_ns > limits.home_interest_ms * 1_000_000:
                del self._interest[commit.scope]
                continue
            latest = {versioned.object.id: versioned.version for versioned in commit.versions}
            changed = tuple((identifier, version) for identifier, version in latest.items() if version > 1)
            self._commits.append(Committed(*commit.scope, commit.before, commit.after, changed))
        if self._commits and self._flushing is None:
            # The answers of this commit are a few turns away. They take it with them.
            self._flushing = asyncio.get_running_loop().call_later(limits.home_notice_ms / 1000, self._flush)

    def leave(self) -> None:
        """Tell it to forward nothing more."""
        if not self.is_leaving and self._is_welcome:
            self._wire.send(messages.encode(Leaving()))
        self.is_leaving = True

    async def close(self) -> None:
        """Answer what it forwarded, then close the connection."""
        if self._tasks:
            await asyncio.wait(self._tasks)
        self._flush()
        self._wire.close()

    def _welcome(self, hello: Hello) -> None:
        if hello.release != self._own.release or hello.to != self._own.member_id:
            raise UnsupportedFrame("a greeting for another instance, or of another release")
        self._is_welcome = True
        self._wire.send(messages.encode(Welcome()))
        if self.is_leaving:
            self._wire.send(messages.encode(Leaving()))

    def _carry_out(self, submissions: Sequence[Forwarded]) -> None:
        now_ns, loop = self._clock.monotonic_ns(), asyncio.get_running_loop()
        if len(self._interest) >= limits.cached_scopes_max:
            # Whoever asks on is told again. What it missed is a gap in the sequence, and empties its cache.
            self._interest.clear()
        for forwarded in submissions:
            submission = codec.decode_submission(forwarded, now_ns)
            self._interest[submission.scope] = now_ns
            task = loop.create_task(self._answer(forwarded.number, submission))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        self._served(len(submissions))

    async def _answer(self, number: int, submission: Submission) -> None:
        """Have a command carried out as if its request had arrived here, and answer."""
        scope = submission.scope
        try:
            self._writer.admit(scope)
            outcome = await self._writer.submit(submission)
        except WriterStopped as error:
            answered = codec.encode_failure(number, scope, error, is_unbegun=True)
        except Exception as error:  # noqa: BLE001  whatever it is, the other instance waits for an answer
            is_unknown = isinstance(error, OutcomeUnknown) or isinstance(error.__cause__, UnknownOutcome)
            answered = codec.encode_failure(number, scope, error, is_unknown=is_unknown)
        else:
            answered = codec.encode_outcome(number, scope, outcome)
        if not self._answered:
            if self._flushing is not None:
                self._flushing.cancel()
            self._flushing = asyncio.get_running_loop().call_soon(self._flush)
        self._answered.append(answered)

    def _flush(self) -> None:
        self._flushing = None
        if (self._commits or self._answered) and not self.is_lost:
            self._wire.send(messages.encode(Answers(self._commits, self._answered)))
        self._commits, self._answered = [], []
