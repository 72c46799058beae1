"""What waits for the writer: a line for each tenant and mode, served in turns."""

import asyncio
from collections import deque
from collections.abc import Iterable, Sequence

import msgspec

from fastpay import limits
from fastpay.domain.identifiers import Scope
from fastpay.engine.failures import UnknownOutcome
from fastpay.engine.idempotency import signature_digest, submission_digest
from fastpay.engine.ports import Outcome, Submission
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
    weight: int = getattr(submission.command, "weight", 1)
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


class FairQueue:
    """First come, first served within a tenant; the tenants take turns.

    So a tenant that sends a thousand at once makes another's next command wait for one share, not for
    the thousand.
    """

    def __init__(self) -> None:
        self._lines: dict[Scope, deque[Waiting]] = {}
        self._weights: dict[Scope, int] = {}
        self._count = 0
        self.weight = 0

    def __len__(self) -> int:
        """Return how many wait in all lines."""
        return self._count

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
            line = self._lines[waiting.submission.scope] = deque()
        line.append(waiting)
        self._weigh(waiting, 1)

    def put_back(self, waitings: Iterable[Waiting]) -> None:
        """Put at the front, in the order in which they were taken."""
        for waiting in reversed(list(waitings)):
            self._lines.setdefault(waiting.submission.scope, deque()).appendleft(waiting)
            self._weigh(waiting, 1)

    def take(self, count: int, *, weight: int, at_least_one: bool = True) -> list[Waiting]:
        """Take up to `count`, as many of each tenant as is fair, and no more than have this weight together.

        With `at_least_one`, the first is taken whatever it weighs.
        """
        taken: list[Waiting] = []
        while self._lines and len(taken) < count:
            left = count - len(taken)
            share = max(1, left // len(self._lines))
            for scope in list(self._lines)[:left]:
                line = self._lines.pop(scope)
                for _ in range(min(share, len(line))):
                    if line[0].weight > weight and (taken or not at_least_one):
                        # It has its turn in the next batch, before all others.
                        self._lines = {scope: line} | self._lines
                        return taken
                    waiting = line.popleft()
                    taken.append(waiting)
                    weight -= waiting.weight
                    self._weigh(waiting, -1)
                if line:
                    # Behind the others: whose turn it was is the last to have one again.
                    self._lines[scope] = line
        return taken

    def fits(self, weight: int) -> bool:
        """Tell whether the one whose turn it is has no more than this weight. Needs somebody in line."""
        return next(iter(self._lines.values()))[0].weight <= weight

    def heaviest_line(self, newcomer: Scope, weight: int) -> Scope | None:
        """Return whose line has to give way to what a newcomer brings; None where that one has its share."""
        own = self._weights.get(newcomer, 0)
        if own * len(self._lines) >= self.weight:
            return None
        heaviest = max(self._weights, key=lambda scope: self._weights[scope])
        return heaviest if self._weights[heaviest] > own + weight else None

    def drop_youngest(self, scope: Scope) -> Waiting:
        """Take the last of a line out."""
        waiting = self._lines[scope].pop()
        if not self._lines[scope]:
            del self._lines[scope]
        self._weigh(waiting, -1)
        return waiting

    def expire(self, now_ns: int) -> None:
        """Take out what was not begun in time, and tell whoever waits for it."""
        for scope, line in list(self._lines.items()):
            # In order, but for those whose clients wait for less long than others do.
            while line and line[0].begin_by_ns <= now_ns:
                waiting = line.popleft()
                self._weigh(waiting, -1)
                waiting.expire()
            if not line:
                del self._lines[scope]

    def _is_full(self, weight: int) -> bool:
        return len(self) >= limits.queued_commands_max or self.weight + weight > limits.queued_weight_max

    def _weigh(self, waiting: Waiting, sign: int) -> None:
        """Note that one has come (1) or gone (-1)."""
        scope = waiting.submission.scope
        self._count += sign
        self.weight += sign * waiting.weight
        left = self._weights.get(scope, 0) + sign * waiting.weight
        if left:
            self._weights[scope] = left
        else:
            self._weights.pop(scope, None)
