"""The connection to one home: submissions go out, their outcomes come back.

    state         entered when                                              submissions
    ------------  --------------------------------------------------------  ------------------
    unreachable   at first, and when the connection ends                    are not sent
    open          the home has welcomed us                                  are sent
    leaving       the home says that it stops                               are not sent

What was sent and is not answered has an unknown outcome (`Unanswered`) once the connection ends, and after
`home_answer_ms`. Whoever can do nothing else waits on for a late answer, up to `home_late_answer_ms`. While
something waits, the home is asked for a sign of life. If none comes for `home_silence_ms`, the connection is
given up, and another one is made.
"""

import asyncio
import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal

import msgspec

from fastpay import limits
from fastpay.clock import Clock
from fastpay.domain.identifiers import Scope
from fastpay.domain.plan import Versioned
from fastpay.engine.homes import codec, messages
from fastpay.engine.homes.codec import UnsupportedFrame
from fastpay.engine.homes.finding import Finder
from fastpay.engine.homes.messages import (
    Answered,
    Answers,
    Changed,
    Committed,
    Failed,
    Found,
    Hello,
    Leaving,
    Message,
    Ping,
    Welcome,
)
from fastpay.engine.homes.ports import Follower, Member, Network, Wire
from fastpay.engine.ports import Commit, Outcome, Submission
from fastpay.engine.read import copy_ports
from fastpay.engine.read.copy_ports import Key
from fastpay.errors import Overloaded
from fastpay.observability import telemetry

_log = telemetry.Log("fastpay.homes")

State = Literal["unreachable", "open", "leaving"]
_OVERLOADED = "Too many requests are waiting. Try again in a moment."


class Unanswered(Exception):
    """The home got the submission and has not said what became of it. `reason` names a counter.

    `late` is what it may still say.
    """

    def __init__(
        self,
        reason: Literal["gone", "silent", "slow", "unknown"],
        late: "asyncio.Future[Outcome] | None" = None,
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.late = late


class Unbegun(Exception):
    """The home has not begun the command, and never will."""


class _Waiting(msgspec.Struct, eq=False):
    """A submission that was sent, and who waits for its outcome."""

    scope: Scope
    future: "asyncio.Future[Outcome]"
    sent_ns: int
    is_late: bool = False

    def fail(self, error: Exception) -> None:
        """Pass an error to who waits."""
        if not self.future.done():
            self.future.set_exception(error)

    def be_late(self) -> None:
        """Tell who waits that there is no answer so far. Whoever likes waits on."""
        late: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        # Nobody has to look at it.
        late.add_done_callback(lambda done: done.cancelled() or done.exception())
        self.fail(Unanswered("slow", late))
        self.future, self.is_late = late, True


class Link:
    """Keeps connected to a member, and forwards submissions to it: all of one loop turn in one frame.

    `changed` is called when the state does.
    """

    def __init__(
        self,
        member: Member,
        own: Member,
        network: Network,
        *,
        follower: Follower,
        clock: Clock,
        changed: Callable[[], None],
    ) -> None:
        self.member = member
        self._changed = changed
        self._own = own
        self._network = network
        self._follower = follower
        self._clock = clock
        self._wire: Wire | None = None
        self._state: State = "unreachable"
        self._task: asyncio.Task[None] | None = None
        self._welcomed, self._ended = asyncio.Event(), asyncio.Event()
        self._numbers = 0
        # By number, oldest first.
        self._waiting: dict[int, _Waiting] = {}
        self._finder = Finder()
        self._unsent: list[bytes] = []
        self._unsent_bytes = 0
        # Until when a tenant is refused here, because the home has just found its line too long.
        self._refused: dict[Scope, int] = {}
        self._pinged_ns: int | None = None
        self._check: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Connect in the background, and again after a loss."""
        self._task = asyncio.create_task(self._keep_connected(), name="home")

    async def close(self) -> None:
        """Give up the connection. Whoever still waits for an outcome gets `Unanswered`."""
        if self._check is not None:
            self._check.cancel()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    @property
    def is_open(self) -> bool:
        """Whether submissions can be sent."""
        return self._state == "open"

    @property
    def is_full(self) -> bool:
        """Whether too much waits already for another submission to be sent."""
        return self._wire is None or self._wire.is_full or len(self._waiting) >= limits.forwards_waiting_max

    def admit(self, scope: Scope) -> None:
        """Raise Overloaded if the home has just refused a command of this tenant as one too many."""
        until_ns = self._refused.get(scope)
        if until_ns is None:
            return
        if self._clock.monotonic_ns() < until_ns:
            raise Overloaded(_OVERLOADED)
        del self._refused[scope]

    def forward(self, submission: Submission) -> "asyncio.Future[Outcome]":
        """Send a submission with all others of this loop turn, if the link is open and not full.

        The future raises what the home's writer raised, Unanswered or Unbegun. Raises: TypeError and
        ValueError for a command that cannot travel or is too large. Then nothing is sent.
        """
        now_ns, loop = self._clock.monotonic_ns(), asyncio.get_running_loop()
        number = self._numbers + 1
        forwarded = codec.encode_submission(number, submission, now_ns)
        size = len(forwarded)
        if size > limits.forwarded_bytes_max:
            raise ValueError("the command is too large to be forwarded")
        self._numbers = number
        if self._unsent_bytes + size > limits.forwarded_bytes_max:
            self._flush()
        if not self._unsent:
            loop.call_soon(self._flush)
        self._unsent.append(forwarded)
        self._unsent_bytes += size
        future: asyncio.Future[Outcome] = loop.create_future()
        self._waiting[number] = _Waiting(submission.scope, future, now_ns)
        self._check_soon()
        return future

    def wants(self, identifier: str) -> bool:
        """Tell whether it pays to ask the home for this object."""
        can_ask = self.is_open and not self.is_full
        return can_ask and self._finder.wants(identifier, self._clock.monotonic_ns())

    def find(self, keys: Sequence[Key], answers: copy_ports.Answers) -> None:
        """Ask the home for objects. Without an answer within `home_find_ms` nothing was found."""
        if self._wire is None:
            answers([None] * len(keys))
            return
        self._finder.ask(keys, self._clock.monotonic_ns(), self._wire.send, answers)
        self._check_soon()

    def _check_soon(self) -> None:
        if self._check is None:
            self._check = asyncio.get_running_loop().call_later(limits.home_check_ms / 1000, self._look)

    def _flush(self) -> None:
        if self._unsent and self._wire is not None:
            self._wire.send(messages.encode_forward(self._unsent))
        self._unsent, self._unsent_bytes = [], 0

    async def _keep_connected(self) -> None:
        backoff_ms = limits.home_backoff_ms
        while True:
            try:
                async with asyncio.timeout(limits.home_connect_timeout_ms / 1000):
                    wire = await self._network.connect(self.member.socket, self.member.address)
                    await self._greet(wire)
                await self._ended.wait()
                backoff_ms = limits.home_backoff_ms
            except (OSError, TimeoutError) as error:
                _log.debug("home_connection_failed", member=self.member.member_id, reason=str(error))
            finally:
                self._give_up("gone")
            await asyncio.sleep(backoff_ms / 1000)
            backoff_ms = min(backoff_ms * 2, limits.home_backoff_max_ms)

    async def _greet(self, wire: Wire) -> None:
        """Send the Hello and wait for the Welcome, or for the end of the connection."""
        self._welcomed.clear()
        self._ended.clear()
        self._wire = wire
        wire.received, wire.lost = self._receive, self._lose
        own = self._own
        wire.send(messages.encode(Hello(own.release, own.member_id, self.member.member_id)))
        await self._welcomed.wait()

    def _lose(self) -> None:
        self._welcomed.set()
        self._ended.set()

    def _give_up(self, reason: Literal["gone", "silent"]) -> None:
        """End the connection, and tell everybody who waits that there is no answer."""
        wire, self._wire = self._wire, None
        self._pinged_ns = None
        self._turn("unreachable")
        if wire is not None:
            wire.abort()
        self._lose()
        waiting, self._waiting = self._waiting, {}
        self._unsent, self._unsent_bytes = [], 0
        for one in waiting.values():
            one.fail(Unanswered(reason))
        self._finder.lose()

    def _turn(self, state: State) -> None:
        if state != self._state:
            self._state = state
            self._changed()

    def _receive(self, frame: bytes) -> None:
        if self._wire is None:
            return
        self._pinged_ns = None
        try:
            self._take(messages.decode(frame))
        except (msgspec.MsgspecError, UnsupportedFrame) as error:
            # Nothing that comes on this connection can be believed.
            _log.error("home_frame_refused", member=self.member.member_id, reason=str(error))
            self._give_up("gone")

    def _take(self, message: Message) -> None:
        if isinstance(message, Answers):
            self._take_answers(message)
        elif isinstance(message, Found):
            self._finder.take(message)
        elif isinstance(message, Welcome):
            self._turn("open")
            self._welcomed.set()
        elif isinstance(message, Leaving):
            self._turn("leaving")

    def _take_answers(self, message: Answers) -> None:
        """Show what the home has committed, and then answer."""
        outcomes: dict[int, Outcome] = {}
        for answered in message.answered:
            waiting = self._waiting.get(answered.number)
            if waiting is None:
                continue
            scope = waiting.scope
            if answered.tenant_id != scope.tenant_id or answered.livemode is not scope.livemode:
                raise UnsupportedFrame("an answer for another tenant")
            if answered.failed is None:
                outcome = self._outcome(answered)
                if outcome is not None:
                    outcomes[answered.number] = outcome
        self._follow(message.commits, outcomes)
        for answered in message.answered:
            waiting = self._waiting.pop(answered.number, None)
            if waiting is None:
                continue
            outcome = outcomes.get(answered.number)
            if outcome is None:
                waiting.fail(self._failure(waiting.scope, answered.failed))
            elif not waiting.future.done():
                waiting.future.set_result(outcome)

    def _outcome(self, answered: Answered) -> Outcome | None:
        """Return an outcome, None if it cannot be read. It is found under the key of its command."""
        try:
            return codec.decode_outcome(answered)
        except (msgspec.MsgspecError, UnsupportedFrame) as error:
            _log.error("home_outcome_refused", member=self.member.member_id, reason=str(error))
            return None

    def _follow(self, commits: Iterable[Committed], outcomes: Mapping[int, Outcome]) -> None:
        """Have commits shown, with the versions that came with an outcome, and those that are asked for here.

        Without the latter the next GET of each changed object would have to be read, on every instance.
        """
        shown: dict[Scope, list[Versioned]] = {}
        answered: dict[Scope, int] = {}
        for number, outcome in outcomes.items():
            scope, sequence = self._waiting[number].scope, outcome.answer.sequence
            shown.setdefault(scope, []).extend(outcome.objects.values())
            answered[scope] = max(sequence, answered.get(scope, 0))
        advanced = self._follower.advanced
        for committed in commits:
            scope, after = codec.scope_of(committed), committed.after
            if not committed.changed and scope not in shown:
                # What others have asked for, for the most part.
                advanced(scope, committed.before, after)
                continue
            versions: list[Versioned] = []
            if scope in shown:
                latest = {one.identifier: one.version for one in committed.changed}
                versions = [
                    versioned
                    for versioned in shown[scope]
                    # What this commit wrote, unless a later command of it has replaced it.
                    if committed.before < versioned.sequence <= after
                    and versioned.version == latest.get(versioned.object.id, 1)
                ]
            if committed.changed:
                self._follower.heard(scope, self._take_changed(scope, committed.changed, versions))
            self._follower.follow([Commit(scope, committed.before, after, versions)])
            answered[scope] = max(after, answered.get(scope, 0))
        for scope, sequence in answered.items():
            self._follower.acknowledged(scope, sequence)

    def _take_changed(
        self, scope: Scope, changed: Iterable[Changed], versions: list[Versioned]
    ) -> list[tuple[str, int]]:
        """Add what is asked for here to the versions to show. Return the others, with their versions."""
        shown = {versioned.object.id for versioned in versions}
        left = []
        for one in changed:
            if one.identifier in shown:
                continue
            wanted = self._follower.holds(scope, one.identifier)
            versioned = codec.decode_changed(one) if wanted else None
            if versioned is None:
                left.append((one.identifier, one.version))
            else:
                versions.append(versioned)
        return left

    def _failure(self, scope: Scope, failed: Failed | None) -> Exception:
        if failed is None or failed.is_unknown:
            return Unanswered("unknown")
        if failed.is_unbegun:
            return Unbegun()
        error = codec.decode_failure(failed)
        if isinstance(error, Overloaded):
            if len(self._refused) >= limits.cached_scopes_max:
                self._refused.clear()
            self._refused[scope] = self._clock.monotonic_ns() + limits.home_refusal_ms * 1_000_000
        return error

    def _look(self) -> None:
        """Give up answers that are late, and a home that gives no sign of life."""
        self._check = None
        now_ns, loop = self._clock.monotonic_ns(), asyncio.get_running_loop()
        late_ns = now_ns - limits.home_answer_ms * 1_000_000
        slow = list(itertools.takewhile(lambda item: item[1].sent_ns <= late_ns, self._waiting.items()))
        for number, one in slow:
            if not one.is_late:
                one.be_late()
            elif now_ns - one.sent_ns >= limits.home_late_answer_ms * 1_000_000:
                del self._waiting[number]
                one.fail(Unanswered("slow"))
        self._finder.expire(now_ns)
        if not (self._waiting or self._finder) or self._wire is None:
            self._pinged_ns = None
            return
        self._check_soon()
        if self._pinged_ns is None:
            self._pinged_ns = now_ns
            self._wire.send(messages.encode(Ping()))
        elif now_ns - self._pinged_ns > limits.home_silence_ms * 1_000_000:
            # If it was this process that stood still, the answer is here already: read it first.
            loop.call_later(0.001, self._suspect, self._pinged_ns)

    def _suspect(self, pinged_ns: int) -> None:
        if self._pinged_ns == pinged_ns:
            _log.warning("home_connection_lost", member=self.member.member_id)
            self._give_up("silent")
