"""What waits for the writer: a line for each tenant and mode, served by start-time fair queueing.

Each line has a start tag, in units of weight: that of the next command to be served from it. The line with
the lowest start tag is served, and its tag moves on by the weight of what was taken. The queue's virtual time
is the highest start tag served so far. A new line starts at the virtual time, or where it ended when it was
last empty if that is later: emptying a line gains nothing.

Two properties follow, whatever the weights and however commands arrive:

- Over any time in which two lines always have something waiting, the weights served to them differ by at most
  the heaviest command of the one plus the heaviest command of the other (and by what was put back after a
  failure meanwhile).
- A command that arrives at an empty line of a tenant without debt waits for at most one command of each other
  line.

Source: P. Goyal, H. M. Vin, H. Cheng, "Start-time Fair Queuing", SIGCOMM 1996, with equal shares.
"""

import asyncio
import heapq
import itertools
from collections import deque
from collections.abc import Iterable, Sequence

import msgspec

from fastpay import limits
from fastpay.domain.identifiers import Scope
from fastpay.engine.failures import UnknownOutcome
from fastpay.engine.ports import Outcome, Submission
from fastpay.engine.write.idempotency import signature_digest, submission_digest
from fastpay.errors import DatabaseUnavailable, DeadlineExceeded, FastpayError, OutcomeUnknown, Overloaded

OVERLOADED = "Too many requests are waiting. Try again in a moment."
_EXPIRED = "The time that the request allowed was over. Nothing was changed."
_LATE = "The database did not get to this in time. Nothing was changed. Try again."
_UNKNOWN = (
    "The database went away while it was answering. Look whether this took effect before you send it again, "
    "and give an idempotency key with every request that must not happen twice."
)
_UNKNOWN_BY_KEY = (
    "The database went away while it was answering. Send the request again with the same idempotency key to "
    "learn what became of it."
)


class Waiting(msgspec.Struct, frozen=True, eq=False):
    """A submission in line, and who waits for it.

    `digest` is that of the idempotency key, empty without one, `signature` that of a signature which does not
    cover the key; `weight` is how many plain commands it counts for. What is not at the database by
    `begin_by_ns`, on the monotonic clock, is not begun at all.
    """

    submission: Submission
    digest: bytes
    weight: int
    future: "asyncio.Future[Outcome]"
    begin_by_ns: int
    signature: bytes = b""

    @property
    def digests(self) -> tuple[bytes, ...]:
        """The digests of the rows that it may find or write; an empty one has none."""
        return (self.digest, self.signature) if self.signature else (self.digest,)

    def fail(self, error: Exception) -> None:
        """Tell whoever waits that nothing came of it."""
        if not self.future.done():
            self.future.set_exception(error)

    def expire(self) -> None:
        """Tell whoever waits that its time was over before it was begun."""
        is_own = self.begin_by_ns == self.submission.deadline_ns
        self.fail(DeadlineExceeded(_EXPIRED) if is_own else DatabaseUnavailable(_LATE))

    def unknown(self, failure: UnknownOutcome) -> FastpayError:
        """Return what to say to a request of which nobody knows whether it was committed."""
        error: FastpayError
        if self.submission.idempotency_key is None:
            error = OutcomeUnknown(_UNKNOWN)
        else:
            error = DatabaseUnavailable(_UNKNOWN_BY_KEY)
        error.__cause__ = failure
        return error


def wait(submission: Submission, now_ns: int) -> Waiting:
    """Return the submission with a future of its own. Needs a running loop."""
    future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
    # A command without weight would never use its tenant's share up.
    weight = max(1, getattr(submission.command, "weight", 1))
    begin_by_ns = now_ns + limits.begin_timeout_ms * 1_000_000
    if submission.deadline_ns is not None:
        begin_by_ns = min(begin_by_ns, submission.deadline_ns)
    signature = b"" if submission.signed is None else signature_digest(submission)
    return Waiting(submission, submission_digest(submission), weight, future, begin_by_ns, signature)


def in_time(entries: Iterable[Waiting], now_ns: int) -> list[Waiting]:
    """Return those that may still be begun; tell the others that their time is over."""
    live = []
    for entry in entries:
        if entry.begin_by_ns > now_ns:
            live.append(entry)
        else:
            entry.expire()
    return live


def note_times(entries: Sequence[Waiting], begun_ns: int, ended_ns: int) -> None:
    """Tell those who asked when the commit began that their commands were in, and when it ended."""
    for entry in entries:
        timing = entry.submission.timing
        if timing is not None:
            timing.end("queue", begun_ns)
            timing.end("commit", ended_ns)


class _Line:
    """The commands of one tenant that wait, in order, and the start tag of the first."""

    __slots__ = ("entries", "scope", "skipped", "start", "weight")

    def __init__(self, scope: Scope, ended: int, now: int) -> None:
        self.scope = scope
        self.entries: deque[Waiting] = deque()
        self.start = max(ended, now)
        # What the tag was moved on by for the time in which the line was empty.
        self.skipped = self.start - ended
        self.weight = 0


class FairQueue:
    """First come, first served within a tenant; fair by weight between tenants."""

    def __init__(self) -> None:
        self._lines: dict[Scope, _Line] = {}
        # The lines that may be served: start tag, a number that decides between equal tags, the line.
        self._heap: list[tuple[int, int, _Line]] = []
        self._turns = itertools.count()
        self._paused: set[Scope] = set()
        # The end tags of lines that are empty now, as far as they lie ahead of the virtual time.
        self._ended: dict[Scope, int] = {}
        self._ended_max = limits.fair_lines_forgotten_min
        self._virtual_time = 0
        self._count = 0
        self.weight = 0

    def __len__(self) -> int:
        """Return how many wait in all lines."""
        return self._count

    def __contains__(self, scope: object) -> bool:
        """Tell whether a tenant has a line."""
        return scope in self._lines

    @property
    def is_ready(self) -> bool:
        """Whether `take` would return anything: not when all lines are empty or paused."""
        return bool(self._heap)

    def has_place(self, scope: Scope, weight: int) -> bool:
        """Tell whether there is a place for a command of this tenant, or somebody who gives way to it."""
        return not self._is_full(weight) or self.heaviest_line(scope, weight) is not None

    def append(self, waiting: Waiting) -> None:
        """Put at the end of its tenant's line. Raises: Overloaded.

        Where there is no place, whoever has the most in line gives way to a tenant with less than its share.
        """
        while self._is_full(waiting.weight):
            heaviest = self.heaviest_line(waiting.submission.scope, waiting.weight)
            if heaviest is None:
                raise Overloaded(OVERLOADED)
            self.drop_youngest(heaviest).fail(Overloaded(OVERLOADED))
        line = self._lines.get(waiting.submission.scope)
        if line is None:
            line = self._open(waiting.submission.scope)
        line.entries.append(waiting)
        self._weigh(line, waiting.weight, 1)

    def put_back(self, waitings: Iterable[Waiting]) -> None:
        """Put at the front, in the order in which they were taken, as if they had never been served."""
        for waiting in reversed(list(waitings)):
            scope = waiting.submission.scope
            line = self._lines.get(scope) or self._open(scope)
            line.entries.appendleft(waiting)
            # The line was not empty then after all.
            line.start -= waiting.weight + line.skipped
            line.skipped = 0
            self._weigh(line, waiting.weight, 1)
            # A newcomer begins where these stand again, and not behind them.
            self._virtual_time = min(self._virtual_time, line.start)
        self._rebuild()

    def take(self, count: int, *, weight: int, at_least_one: bool = True) -> list[Waiting]:
        """Take up to `count` in the order of start tags, and no more than have this weight together.

        With `at_least_one`, the first is taken whatever it weighs. Nothing overtakes a command that does not
        fit, or it would never be served.
        """
        taken: list[Waiting] = []
        heap = self._heap
        while heap and len(taken) < count:
            start, _, line = heap[0]
            waiting = line.entries[0]
            if waiting.weight > weight and (taken or not at_least_one):
                break
            line.entries.popleft()
            taken.append(waiting)
            weight -= waiting.weight
            self._weigh(line, waiting.weight, -1)
            self._virtual_time = max(self._virtual_time, start)
            line.start = start + waiting.weight
            if line.entries:
                heapq.heapreplace(heap, (line.start, next(self._turns), line))
            else:
                heapq.heappop(heap)
                self._close(line)
        return taken

    def fits(self, weight: int) -> bool:
        """Tell whether the one whose turn it is has no more than this weight. Needs `is_ready`."""
        return self._heap[0][2].entries[0].weight <= weight

    def rest(self) -> None:
        """Forget who was served how much: nobody waits, and nothing that was taken is under way."""
        assert not self._lines
        self._ended.clear()
        self._virtual_time = 0

    def pause(self, scope: Scope, *, paused: bool) -> None:
        """Serve nothing of a tenant, or serve it again."""
        if paused:
            self._paused.add(scope)
        else:
            self._paused.discard(scope)
        if scope in self._lines:
            self._rebuild()

    def ahead_of(self, scope: Scope) -> tuple[int, int]:
        """Return how many commands, and what weight, are served before a newcomer of this tenant at most.

        As much of each other line as there is in its own: a tenant does not wait for another's long line.
        """
        line = self._lines.get(scope)
        if line is None:
            return 0, 0
        lines = len(self._lines)
        return min(self._count, len(line.entries) * lines), min(self.weight, line.weight * lines)

    def heaviest_line(self, newcomer: Scope, weight: int) -> Scope | None:
        """Return whose line has to give way to what a newcomer brings; None where that one has its share."""
        line = self._lines.get(newcomer)
        own = 0 if line is None else line.weight
        if own * len(self._lines) >= self.weight:
            return None
        heaviest = max(self._lines.values(), key=lambda line: line.weight)
        return heaviest.scope if heaviest.weight > own + weight else None

    def drop_youngest(self, scope: Scope) -> Waiting:
        """Take the last of a line out."""
        line = self._lines[scope]
        waiting = line.entries.pop()
        self._weigh(line, waiting.weight, -1)
        if not line.entries:
            self._close(line)
            self._rebuild()
        return waiting

    def expire(self, now_ns: int) -> None:
        """Take out what was not begun in time, and tell whoever waits for it."""
        count = self._count
        for line in list(self._lines.values()):
            # In order, but for those whose clients wait for less long than others do.
            while line.entries and line.entries[0].begin_by_ns <= now_ns:
                waiting = line.entries.popleft()
                self._weigh(line, waiting.weight, -1)
                waiting.expire()
            if not line.entries:
                self._close(line)
        if self._count < count:
            self._rebuild()

    def _is_full(self, weight: int) -> bool:
        return len(self) >= limits.queued_commands_max or self.weight + weight > limits.queued_weight_max

    def _open(self, scope: Scope) -> _Line:
        """Begin a line: now, or where it ended when that is later."""
        now = self._virtual_time
        line = _Line(scope, self._ended.pop(scope, now), now)
        self._lines[scope] = line
        if scope not in self._paused:
            heapq.heappush(self._heap, (line.start, next(self._turns), line))
        return line

    def _close(self, line: _Line) -> None:
        """End an empty line, and remember how far ahead of the virtual time it is."""
        del self._lines[line.scope]
        self._ended[line.scope] = line.start
        if len(self._ended) > self._ended_max:
            now = self._virtual_time
            self._ended = {scope: end for scope, end in self._ended.items() if end > now}
            # So that the next time is as many lines away as are left.
            self._ended_max = max(limits.fair_lines_forgotten_min, 2 * len(self._ended))

    def _rebuild(self) -> None:
        """Order all lines anew, after one was changed that is not the next."""
        self._heap = [
            (line.start, next(self._turns), line)
            for line in self._lines.values()
            if line.scope not in self._paused
        ]
        heapq.heapify(self._heap)

    def _weigh(self, line: _Line, weight: int, sign: int) -> None:
        """Note that one has come (1) or gone (-1)."""
        self._count += sign
        self.weight += sign * weight
        line.weight += sign * weight
