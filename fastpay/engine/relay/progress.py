"""How far one endpoint has got: a pure state machine, without I/O and with the time as an argument.

    read        the log was read up to here
      |   the line: events above the position, in order
      |         waiting -> in flight -> acknowledged
      |                       \\-> failed, and due later
    position    everything up to here is acknowledged, not wanted, or an exception
      |   exceptions: failed or slow events that let the position pass, at most `relay_exceptions_max`
    delivered   everything up to here is acknowledged or not wanted

What is stored is the position, the last event up to it that the endpoint was sent, and the exceptions. After
a crash the line is read again. So an event that was acknowledged above the position is sent a second time,
and an event that was not acknowledged is never passed.

    order     what waits
    parallel  nothing
    object    later events of an object for the earlier ones
    strict    every event for all earlier ones
"""

import heapq
from collections import deque
from collections.abc import Collection, Iterable, Sequence
from typing import Literal

import msgspec

from fastpay import limits

Order = Literal["parallel", "object", "strict"]


class Logged(msgspec.Struct, frozen=True, gc=False):
    """An event as it is delivered."""

    sequence: int
    event_id: str
    type: str
    object_id: str
    body: bytes
    # The request that caused it.
    request_id: str | None = None


class Entry:
    """An event on its way to one endpoint. `logged` is None until it is read (again)."""

    __slots__ = (
        "attempts", "due_ms", "is_done", "is_parked", "lane", "logged", "object_id", "previous", "sequence"
    )  # fmt: skip

    def __init__(
        self, sequence: int, previous: int, object_id: str, *, logged: Logged | None = None, attempts: int = 0
    ) -> None:
        self.sequence = sequence
        self.previous = previous
        self.object_id = object_id
        self.logged = logged
        # Failed attempts, and when the next one is due: at once if that is 0.
        self.attempts = attempts
        self.due_ms = 0
        # Which attempts this one counts as while it is in flight.
        self.lane: Literal["first", "retry"] | None = None
        self.is_done = False
        # Whether it is an exception, which the position may pass.
        self.is_parked = False


class Progress:
    """The events of one endpoint between the log and its receiver."""

    def __init__(
        self,
        order: Order,
        *,
        position: int,
        previous: int,
        parked: Iterable[Entry] = (),
        exceptions_max: int | None = None,
        attempts_max: int | None = None,
    ) -> None:
        """`attempts_max` is after how many failed attempts an event is given up, None if it never is."""
        self._order = order
        self.position = position
        # The last event up to the position that the endpoint was sent.
        self.previous = previous
        self.read_through = position
        self._last_read = previous
        self._line: deque[Entry] = deque()
        self._fresh: deque[Entry] = deque()
        self._due: list[tuple[int, int, Entry]] = []
        self._objects: dict[str, deque[Entry]] = {}
        self._exceptions_max = limits.relay_exceptions_max if exceptions_max is None else exceptions_max
        self._attempts_max = attempts_max
        self.parked: dict[int, Entry] = {}
        # Exceptions that differ from what is stored, None for those that are none any more.
        self.changed: dict[int, Entry | None] = {}
        self.first_in_flight = 0
        self.retries_in_flight = 0
        for entry in sorted(parked, key=lambda one: one.sequence):
            entry.is_parked = True
            self.parked[entry.sequence] = entry
            self._queue(entry)

    @property
    def delivered_through(self) -> int:
        """The number up to which everything is acknowledged or not wanted."""
        return min(self.position, min(self.parked, default=self.position + 1) - 1)

    @property
    def line_length(self) -> int:
        """How many events above the position are held."""
        return len(self._line)

    @property
    def waiting(self) -> int:
        """How many events can be sent for the first time."""
        return len(self._fresh)

    @property
    def in_flight(self) -> int:
        """How many attempts are being made."""
        return self.first_in_flight + self.retries_in_flight

    @property
    def is_complete(self) -> bool:
        """Whether everything that was read is acknowledged."""
        return not self._line and not self.parked

    def offer(self, events: Sequence[Logged], through: int, *, types: Collection[str] | None = None) -> None:
        """Add the wanted events behind those that were read before, up to and including a number.

        If `types` are given, the others are not sent, and count as the previous event all the same.
        """
        for logged in events:
            previous, self._last_read = self._last_read, logged.sequence
            if types is None or logged.type in types:
                entry = Entry(logged.sequence, previous, logged.object_id, logged=logged)
                self._line.append(entry)
                self._queue(entry)
        self.read_through = through
        self._advance()

    def take(self, now_ms: int, *, first_max: int, retries_max: int) -> Entry | None:
        """Return the next event to send, within these numbers of attempts in flight, None if there is none.

        First attempts come first. They leave room among the exceptions, since each of them may fail.
        """
        if self._order == "strict" and self.in_flight:
            return None
        has_room = not self._exceptions_max or len(self.parked) + self.first_in_flight < self._exceptions_max
        if self._fresh and has_room and self.first_in_flight < first_max and self._may_begin():
            entry = self._fresh.popleft()
            entry.lane = "first"
            self.first_in_flight += 1
        elif self._due and self._due[0][0] <= now_ms and self.retries_in_flight < retries_max:
            entry = heapq.heappop(self._due)[2]
            entry.lane = "retry"
            self.retries_in_flight += 1
        else:
            return None
        return entry

    def next_due_ms(self) -> int | None:
        """Return when the next later attempt is due, None if there is none."""
        return self._due[0][0] if self._due else None

    def acknowledge(self, entry: Entry) -> None:
        """Note that the receiver has it."""
        self._land(entry)
        self._finish(entry)

    def fail(self, entry: Entry, due_ms: int) -> None:
        """Note that an attempt failed, and when the next one is due."""
        self._land(entry)
        entry.attempts += 1
        if self._attempts_max is not None and entry.attempts >= self._attempts_max:
            self._finish(entry)
            return
        self._postpone(entry, due_ms)
        if self._order == "object":
            for later in self._objects[entry.object_id]:
                self._park(later)
        self._advance()

    def give_back(self, entry: Entry, due_ms: int) -> None:
        """Note that an attempt ended without an outcome, or did not begin. It counts as none."""
        self._land(entry)
        self._postpone(entry, due_ms)
        self._advance()

    def hasten(self) -> None:
        """Make everything that failed due at once: the receiver works again."""
        self._due = [(0, number, entry) for _, number, entry in self._due]
        heapq.heapify(self._due)
        for _, _, entry in self._due:
            entry.due_ms = 0

    def settle(self) -> None:
        """Let the position pass what is not acknowledged, up to the last event that was sent.

        To be called before the state is handed over, and when one slow event holds many others: what was
        acknowledged behind it is not sent a second time.
        """
        last = max((entry.sequence for entry in self._line if entry.lane or entry.is_done), default=0)
        for entry in self._line:
            if entry.sequence > last or not self._park(entry):
                break
        self._advance()

    def _finish(self, entry: Entry) -> None:
        entry.is_done = True
        if entry.is_parked:
            del self.parked[entry.sequence]
            self.changed[entry.sequence] = None
        if self._order == "object":
            waiting = self._objects[entry.object_id]
            waiting.popleft()
            if waiting:
                self._ready(waiting[0])
            else:
                del self._objects[entry.object_id]
        self._advance()

    def _may_begin(self) -> bool:
        return self._order != "strict" or not self.parked

    def _queue(self, entry: Entry) -> None:
        if self._order == "object":
            waiting = self._objects.setdefault(entry.object_id, deque())
            waiting.append(entry)
            if len(waiting) > 1:
                if waiting[0].attempts:
                    self._park(entry)
                return
        self._ready(entry)

    def _ready(self, entry: Entry) -> None:
        if entry.is_parked:
            heapq.heappush(self._due, (entry.due_ms, entry.sequence, entry))
        else:
            self._fresh.append(entry)

    def _postpone(self, entry: Entry, due_ms: int) -> None:
        entry.due_ms = due_ms
        heapq.heappush(self._due, (due_ms, entry.sequence, entry))
        self._park(entry)
        if entry.is_parked:
            self.changed[entry.sequence] = entry

    def _park(self, entry: Entry) -> bool:
        """Make it an exception, unless there are too many. Return whether the position may pass it."""
        if entry.is_done or entry.is_parked:
            return True
        if len(self.parked) >= self._exceptions_max:
            return False
        entry.is_parked = True
        self.parked[entry.sequence] = entry
        self.changed[entry.sequence] = entry
        return True

    def _land(self, entry: Entry) -> None:
        if entry.lane == "first":
            self.first_in_flight -= 1
        else:
            self.retries_in_flight -= 1
        entry.lane = None

    def _advance(self) -> None:
        line = self._line
        while line and (line[0].is_done or line[0].is_parked):
            self.position = self.previous = line.popleft().sequence
        self.position = max(self.position, line[0].sequence - 1 if line else self.read_through)
