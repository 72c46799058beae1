"""What a home does for the others: it carries out what they forward, and tells them what it commits.
What it shows itself, it gives to who asks for it (`engine/homes/finding.py`).

Answers and commits of one loop turn go out in one frame for each connection, commits first. So the other
instance shows a commit no later than it answers the request that caused it. A commit is told to an instance
as long as it forwards requests of that tenant:

    what the commit did                    is told
    -------------------------------------  ----------------------------------------------------------------
    changed what the instance may hold,    within `home_notice_ms`, with what it changed
    or made a webhook endpoint
    made new objects only                  with the next answer for the tenant, or else within
                                           `home_notice_of_new_ms`: as one commit with those before it
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import NamedTuple

import msgspec

from fastpay import limits
from fastpay.clock import Clock
from fastpay.domain.identifiers import Scope
from fastpay.domain.kinds import WEBHOOK_ENDPOINT
from fastpay.engine.failures import UnknownOutcome
from fastpay.engine.homes import codec, finding, messages
from fastpay.engine.homes.codec import UnsupportedFrame
from fastpay.engine.homes.messages import (
    Find,
    Forward,
    Forwarded,
    Hello,
    Leaving,
    Ping,
    Pong,
    Welcome,
)
from fastpay.engine.homes.ports import Member, OwnWriter, Show, Wire
from fastpay.engine.ports import Commit, Outcome
from fastpay.errors import FastpayError, OutcomeUnknown, WriterStopped
from fastpay.observability import telemetry, traces

_log = telemetry.Log("fastpay.homes")


class _Notice(NamedTuple):
    """A commit, `encoded` as it travels if it replaced what others may hold, and empty otherwise."""

    scope: Scope
    before: int
    after: int
    encoded: bytes


class Serving:
    """Serves all connections of other members. Satisfies `CommitObserver`.

    `show` returns what this instance shows, and `notice_of_new_ms` is how long commits of new objects are
    held at most.
    """

    def __init__(
        self, own: Member, writer: OwnWriter, show: Show, *, clock: Clock, notice_of_new_ms: int
    ) -> None:
        self._show = show
        self._own = own
        self._writer = writer
        self._clock = clock
        self.notice_of_new_ms = notice_of_new_ms
        self._guests: set[_Guest] = set()
        self._is_leaving = False
        self.served = 0

    def accept(self, wire: Wire) -> None:
        """Serve a connection until it ends."""
        if len(self._guests) >= limits.members_max:
            wire.abort()
            return
        guest = _Guest(wire, self._own, self._writer, self._show, clock=self._clock, served=self._count)
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
            notices = [_notice(commit) for commit in commits]
            for guest in self._guests:
                guest.tell(notices, self.notice_of_new_ms)

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
        self,
        wire: Wire,
        own: Member,
        writer: OwnWriter,
        show: Show,
        *,
        clock: Clock,
        served: Callable[[int], None],
    ) -> None:
        self._show = show
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
        self._commits: list[bytes] = []
        self._answered: list[codec.Message] = []
        # From where to where commits of new objects have brought each tenant, of which it was not told.
        self._advances: dict[Scope, tuple[int, int]] = {}
        self._advancing: asyncio.TimerHandle | None = None
        # What sends all of that, and in how many milliseconds it was to do so.
        self._flushing: asyncio.Handle | None = None
        self._flushing_ms = 0
        # How many commands are not answered yet, and what is called when none is.
        self._unanswered = 0
        self._settled: Callable[[], None] = lambda: None

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
            elif isinstance(message, Find):
                self._wire.send(finding.answer(message, self._show))
            elif isinstance(message, Ping):
                self._wire.send(messages.encode(Pong()))
            else:
                raise UnsupportedFrame(type(message).__name__)
        except (msgspec.MsgspecError, UnsupportedFrame) as error:
            _log.error("member_frame_refused", reason=str(error))
            self._wire.abort()

    def tell(self, notices: Sequence[_Notice], notice_of_new_ms: int) -> None:
        """Tell of the commits that it may want to know of."""
        now_ns = self._clock.monotonic_ns()
        for notice in notices:
            scope = notice.scope
            asked_ns = self._interest.get(scope)
            if asked_ns is None:
                continue
            if now_ns - asked_ns > limits.home_interest_ms * 1_000_000:
                del self._interest[scope]
                continue
            if notice.encoded:
                self._tell_advance(scope)
                self._commits.append(notice.encoded)
            else:
                self._advance(scope, notice.before, notice.after)
        if self._commits:
            # The answers of this commit are a few turns away. They take it with them.
            self._flush_within(limits.home_notice_ms)
        if self._advances and self._advancing is None:
            loop = asyncio.get_running_loop()
            self._advancing = loop.call_later(notice_of_new_ms / 1000, self._tell_advances)

    def _advance(self, scope: Scope, before: int, after: int) -> None:
        """Note that a tenant has come further, to be told with what it comes to until then."""
        held = self._advances.get(scope)
        if held is not None:
            if held[1] == before:
                before = held[0]
            else:
                # Another instance has written between. Who is told of both as one would not read that.
                self._tell_advance(scope)
        self._advances[scope] = before, after

    def _tell_advance(self, scope: Scope) -> None:
        """Send what was noted of a tenant with the next frame."""
        held = self._advances.pop(scope, None)
        if held is not None:
            self._commits.append(codec.encode_commit(scope, *held, ()))

    def _tell_advances(self) -> None:
        """Send all that was noted."""
        self._advancing = None
        for scope in list(self._advances):
            self._tell_advance(scope)
        self._flush()

    def leave(self) -> None:
        """Tell it to forward nothing more."""
        if not self.is_leaving and self._is_welcome:
            self._wire.send(messages.encode(Leaving()))
        self.is_leaving = True

    async def close(self) -> None:
        """Answer what it forwarded, then close the connection."""
        if self._unanswered:
            settled = asyncio.Event()
            self._settled = settled.set
            await settled.wait()
        if self._advancing is not None:
            self._advancing.cancel()
        self._tell_advances()
        self._wire.close()

    def _welcome(self, hello: Hello) -> None:
        if hello.release != self._own.release or hello.to != self._own.member_id:
            raise UnsupportedFrame("a greeting for another instance, or of another release")
        self._is_welcome = True
        self._wire.send(messages.encode(Welcome()))
        if self.is_leaving:
            self._wire.send(messages.encode(Leaving()))

    def _carry_out(self, submissions: Sequence[Forwarded]) -> None:
        now_ns = self._clock.monotonic_ns()
        if len(self._interest) >= limits.cached_scopes_max:
            # Whoever asks on is told again. What it missed is a gap in the sequence, and empties its cache.
            self._interest.clear()
        admitted: dict[Scope, FastpayError | None] = {}
        scope, refusal = None, None
        for forwarded in submissions:
            # Many of one tenant come together: its scope is made and looked for once.
            if (
                scope is None
                or forwarded.tenant_id != scope.tenant_id
                or forwarded.livemode is not scope.livemode
            ):
                scope = codec.scope_of(forwarded)
                self._interest[scope] = now_ns
                if scope not in admitted:
                    admitted[scope] = self._refusal(scope)
                refusal = admitted[scope]
            reply = _Reply(self, forwarded.number, scope)
            self._unanswered += 1
            if refusal is None:
                self._begin(forwarded, reply, scope, now_ns)
            else:
                reply.set_exception(refusal)
        self._served(len(submissions))

    def _refusal(self, scope: Scope) -> FastpayError | None:
        """Return why the writer would refuse a command of this tenant, None if it would take it."""
        try:
            self._writer.admit(scope)
        except FastpayError as error:
            return error
        return None

    def _begin(self, forwarded: Forwarded, reply: "_Reply", scope: Scope, now_ns: int) -> None:
        """Have a command carried out as if its request had arrived here."""
        try:
            submission = codec.decode_submission(forwarded, scope, now_ns)
            if forwarded.trace is not None and (tracer := traces.tracer()) is not None:
                reply.trace = tracer.forwarded(forwarded.trace)
                tracer.remember(submission.request_id, reply.trace)
                submission = msgspec.structs.replace(submission, trace=reply.trace)
            self._writer.put(submission, reply)
        except (msgspec.MsgspecError, UnsupportedFrame) as error:
            # Only this command cannot travel. The instance that was asked carries it out.
            _log.error("member_command_refused", command=forwarded.command, reason=str(error))
            reply.refuse(error)
        except Exception as error:  # noqa: BLE001  whatever it is, the other instance waits for an answer
            reply.set_exception(error)

    def answer(self, scope: Scope, answered: codec.Message) -> None:
        """Send an answer, with all others of this loop turn, and what was committed of its tenant before."""
        self._unanswered -= 1
        if not self._unanswered:
            self._settled()
        if not self._answered:
            self._flush_within(0)
        if scope in self._advances:
            self._tell_advance(scope)
        self._answered.append(answered)

    def _flush_within(self, delay_ms: int) -> None:
        """Send what is there in so many milliseconds, or before."""
        if self._flushing is not None:
            if self._flushing_ms <= delay_ms:
                return
            self._flushing.cancel()
        loop = asyncio.get_running_loop()
        self._flushing_ms = delay_ms
        self._flushing = (
            loop.call_later(delay_ms / 1000, self._flush) if delay_ms else loop.call_soon(self._flush)
        )

    def _flush(self) -> None:
        self._flushing = None
        if (self._commits or self._answered) and not self.is_lost:
            self._wire.send(codec.encode_answers(self._commits, self._answered))
        self._commits, self._answered = [], []


class _Reply:
    """Stands for a request of another instance where a future stands for one of this. Satisfies `Reply`.

    It takes a tenth of the instructions of a task that waits for a future.
    """

    __slots__ = ("_guest", "_is_done", "_number", "_scope", "trace")

    def __init__(self, guest: _Guest, number: int, scope: Scope) -> None:
        self._guest = guest
        self._number = number
        self._scope = scope
        self._is_done = False
        self.trace: traces.Trace | None = None

    def done(self) -> bool:
        """Tell whether it was answered."""
        return self._is_done

    def set_result(self, outcome: Outcome) -> None:
        """Answer with an outcome."""
        try:
            answered = codec.outcome_message(self._number, self._scope, outcome)
        except Exception as error:  # noqa: BLE001  it is committed, and is found under its key
            _log.exception("member_outcome_failed")
            answered = codec.failure_message(self._number, self._scope, error, is_unknown=True)
        self._answer(answered)

    def set_exception(self, error: Exception) -> None:
        """Answer with an error."""
        if isinstance(error, WriterStopped):
            self.refuse(error)
            return
        is_unknown = isinstance(error, OutcomeUnknown) or isinstance(error.__cause__, UnknownOutcome)
        self._answer(codec.failure_message(self._number, self._scope, error, is_unknown=is_unknown))

    def refuse(self, error: Exception) -> None:
        """Answer that the command was not begun and never will be."""
        self._answer(codec.failure_message(self._number, self._scope, error, is_unbegun=True))

    def _answer(self, answered: codec.Message) -> None:
        self._is_done = True
        if self.trace is not None and (tracer := traces.tracer()) is not None:
            tracer.forwarded_ended(self.trace)
        self._guest.answer(self._scope, answered)


def _notice(commit: Commit) -> _Notice:
    scope, before, after = commit.scope, commit.before, commit.after
    # The last version of each object that others may hold. A new endpoint changes which events are pending.
    changed = {
        one.object.id: one
        for one in commit.versions
        if one.version > 1 or one.object.prefix == WEBHOOK_ENDPOINT.prefix
    }
    encoded = codec.encode_commit(scope, before, after, changed.values()) if changed else b""
    return _Notice(scope, before, after, encoded)
