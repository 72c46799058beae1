"""What waits for the writer: a line for each tenant and mode, served in turns."""

import asyncio
from collections import deque
from collections.abc import Iterable, Sequence

import msgspec

from fastpay.domain.identifiers import Scope
from fastpay.engine.idempotency import signature_digest, submission_digest
from fastpay.engine.ports import Outcome, Submission


class Waiting(msgspec.Struct, frozen=True, eq=False):
    """A submission in line, and who waits for it.

    `digest` is that of the idempotency key, empty without one, `signature` that of a signature which does not
    cover the key; `weight` is how many plain commands it counts for.
    """

    submission: Submission
    digest: bytes
    weight: int
    future: "asyncio.Future[Outcome]"
    signature: bytes = b""

    @property
    def digests(self) -> tuple[bytes, ...]:
        """The digests of the rows that it may find or write; an empty one has none."""
        return (self.digest, self.signature) if self.signature else (self.digest,)

    def fail(self, error: Exception) -> None:
        """Tell whoever waits that nothing came of it."""
        if not self.future.done():
            self.future.set_exception(error)


def wait(submission: Submission) -> Waiting:
    """Return the submission with a future of its own. Needs a running loop."""
    future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
    weight: int = getattr(submission.command, "weight", 1)
    signature = b"" if submission.signed is None else signature_digest(submission)
    return Waiting(submission, submission_digest(submission), weight, future, signature)


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

    def append(self, waiting: Waiting) -> None:
        """Put at the end of its tenant's line."""
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
