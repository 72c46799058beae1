"""The writer's queue: first in, first out within a tenant, start-time fair queueing between tenants.

Each tenant and mode has a queue of its own with a start tag, in units of weight. The queue with the lowest
start tag is served next, and its tag rises by the weight of the command. The virtual time is the highest
start tag served so far. A queue that becomes non-empty starts at the virtual time, or where it ended when it
was last empty if that is later. So a tenant gains nothing by emptying its queue.

Two properties follow, whatever the weights and the order of arrival:

- While two queues stay non-empty, the weights served to them differ by at most the heaviest command of the
  one plus the heaviest command of the other, plus the weight that was put back after a failure meanwhile.
- A command that arrives at an empty queue of a tenant without debt waits for at most one command of each
  other tenant.

Source: P. Goyal, H. M. Vin, H. Cheng, "Start-time Fair Queuing", SIGCOMM 1996, with equal shares.
"""

import heapq
import itertools
from collections import deque
from collections.abc import Iterable, Sequence

from fastpay import limits
from fastpay.domain.identifiers import Scope
from fastpay.engine.write.queued import QueuedSubmission
from fastpay.errors import Overloaded

OVERLOADED = "Too many requests are waiting. Try again in a moment."


class _TenantQueue:
    """The waiting commands of one tenant and mode, oldest first, and the start tag of the first."""

    __slots__ = ("entries", "scope", "skipped", "start", "weight")

    def __init__(self, scope: Scope, ended: int, now: int) -> None:
        self.scope = scope
        self.entries: deque[QueuedSubmission] = deque()
        self.start = max(ended, now)
        # How far the tag was moved on for the time in which the queue was empty.
        self.skipped = self.start - ended
        self.weight = 0


class FairQueue:
    """The commands of all tenants that wait for the writer."""

    def __init__(self) -> None:
        # Invariant: every queue in here is non-empty, and is in the heap unless its tenant is paused or
        # parked.
        self._queues: dict[Scope, _TenantQueue] = {}
        # Start tag, a number that decides between equal tags, queue.
        self._heap: list[tuple[int, int, _TenantQueue]] = []
        self._numbers = itertools.count()
        self._paused: set[Scope] = set()
        self._parked: set[Scope] = set()
        # The end tags of queues that are empty now. A tag above the virtual time is a debt.
        self._ended: dict[Scope, int] = {}
        self._ended_max = limits.fair_debts_forgotten_min
        self._virtual_time = 0
        # Invariant: the count and the weight of all entries of all queues.
        self._count = 0
        self.weight = 0

    def __len__(self) -> int:
        """Return how many commands wait."""
        return self._count

    def __contains__(self, scope: object) -> bool:
        """Tell whether a command of this tenant waits."""
        return scope in self._queues

    @property
    def is_ready(self) -> bool:
        """Whether `take` would return anything: a command waits whose tenant is not paused or parked."""
        return bool(self._heap)

    def count_ready(self) -> int:
        """Return how many commands wait whose tenants are neither paused nor parked."""
        if not self._paused and not self._parked:
            return self._count
        return sum(len(queue.entries) for _, _, queue in self._heap)

    @property
    def has_parked(self) -> bool:
        """Whether a tenant is parked."""
        return bool(self._parked)

    def has_room(self, scope: Scope, weight: int) -> bool:
        """Tell whether `append` would take a command of this tenant."""
        return not self._is_full(self._count, self.weight + weight) or bool(self._displaced(scope, weight))

    def append(self, entry: QueuedSubmission) -> None:
        """Add to the end of the tenant's queue. Raises: Overloaded.

        A full queue drops the newest commands of the heaviest tenants to make room for a tenant with less
        than its share. They are refused as overloaded. If that does not make enough room, nothing is dropped.
        """
        scope, weight = entry.submission.scope, entry.weight
        # As `_is_full` and `_weigh` have it: each payment comes here.
        if self._count >= limits.queued_commands_max or self.weight + weight > limits.queued_weight_max:
            displaced = self._displaced(scope, weight)
            if not displaced:
                raise Overloaded(OVERLOADED)
            for other in displaced:
                self._drop_newest(other).fail(Overloaded(OVERLOADED))
        queue = self._queues.get(scope)
        if queue is None:
            queue = self._open(scope)
        queue.entries.append(entry)
        self._count += 1
        self.weight += weight
        queue.weight += weight

    def put_back(self, entries: Iterable[QueuedSubmission]) -> None:
        """Put at the front, in the order in which they were taken, as if they had never been served."""
        for entry in reversed(list(entries)):
            scope = entry.submission.scope
            queue = self._queues.get(scope) or self._open(scope)
            queue.entries.appendleft(entry)
            # The queue was not empty after all, so nothing was skipped.
            queue.start -= entry.weight + queue.skipped
            queue.skipped = 0
            self._weigh(queue, entry.weight, 1)
            if scope not in self._parked:
                # A newcomer must start where these start again, not behind them.
                self._virtual_time = min(self._virtual_time, queue.start)
        self._rebuild()

    def take(self, count: int, *, weight: int, at_least_one: bool = True) -> list[QueuedSubmission]:
        """Take up to `count` commands in the order of start tags, with at most this weight together.

        With `at_least_one`, the first is taken whatever it weighs. No command overtakes one that does not
        fit, because that one would never be served.
        """
        taken: list[QueuedSubmission] = []
        heap = self._heap
        while heap and len(taken) < count:
            entries, has_others = heap[0][2].entries, len(heap) > 1
            served = 0
            # Without others every turn is the same tenant's, so the heap and the sums are touched once.
            while entries and len(taken) < count and not (served and has_others):
                next_weight = entries[0].weight
                if next_weight > weight and (taken or not at_least_one):
                    count = 0
                    break
                taken.append(entries.popleft())
                last = next_weight
                weight -= last
                served += last
            if served:
                self._serve(served, last)
        self._count -= len(taken)
        return taken

    def fits(self, weight: int) -> bool:
        """Tell whether the next command has at most this weight. Needs `is_ready`."""
        return self._heap[0][2].entries[0].weight <= weight

    def clear(self) -> list[QueuedSubmission]:
        """Remove and return everything, of paused tenants too."""
        entries = [entry for queue in self._queues.values() for entry in queue.entries]
        self._queues.clear()
        self._heap.clear()
        self._count = self.weight = 0
        return entries

    def reset(self) -> None:
        """Forget all debts. Right only while nothing waits and nothing that was taken is under way."""
        assert not self._queues
        self._ended.clear()
        self._virtual_time = 0

    def pause(self, scope: Scope, *, paused: bool) -> None:
        """Stop serving a tenant, or resume."""
        if paused:
            self._paused.add(scope)
        else:
            self._paused.discard(scope)
        if scope in self._queues:
            self._rebuild()

    def is_paused(self, scope: Scope) -> bool:
        """Tell whether a tenant is not served at all."""
        return scope in self._paused

    def park(self, scope: Scope) -> None:
        """Leave the commands of a tenant to `take_from`, until `unpark`."""
        self._parked.add(scope)
        if scope in self._queues:
            self._rebuild()

    def unpark(self, scope: Scope) -> None:
        """Serve a tenant by turns again. It makes no claim for the time in which it was parked."""
        self._parked.discard(scope)
        queue = self._queues.get(scope)
        if queue is not None:
            queue.start = max(queue.start, self._virtual_time)
            self._rebuild()

    def take_from(self, scopes: Sequence[Scope], count: int, *, weight: int) -> list[QueuedSubmission]:
        """Take up to `count` commands of these parked tenants, with at most this weight together.

        The first is taken whatever it weighs. None of the tenants gets more than its part of `count`, except
        that each may have one while there is room.
        """
        taken: list[QueuedSubmission] = []
        for scope in scopes:
            queue = self._queues.get(scope)
            if queue is None or scope in self._paused:
                continue
            for _ in range(min(max(1, count // len(scopes)), count - len(taken), len(queue.entries))):
                entry = queue.entries[0]
                if entry.weight > weight and taken:
                    break
                queue.entries.popleft()
                taken.append(entry)
                weight -= entry.weight
                self._weigh(queue, entry.weight, -1)
                queue.start += entry.weight
            if not queue.entries:
                self._close(queue)
        return taken

    def ahead_of(self, scope: Scope) -> tuple[int, int]:
        """Return how many commands, and what weight, are served before a new command of this tenant at most.

        Of each other queue that is as much as the tenant has in its own: queues are served by turns.
        """
        queue = self._queues.get(scope)
        if queue is None:
            return 0, 0
        queues = len(self._queues)
        return min(self._count, len(queue.entries) * queues), min(self.weight, queue.weight * queues)

    def expire(self, now_ns: int) -> None:
        """Drop commands that were not begun in time, and answer them."""
        count = self._count
        for queue in list(self._queues.values()):
            # In order of deadline, except for requests that have a shorter one of their own.
            while queue.entries and queue.entries[0].begin_by_ns <= now_ns:
                entry = queue.entries.popleft()
                self._weigh(queue, entry.weight, -1)
                entry.expire()
            if not queue.entries:
                self._close(queue)
        if self._count < count:
            self._rebuild()

    @staticmethod
    def _is_full(count: int, weight: int) -> bool:
        """Tell whether a command that makes for this weight has no room beside so many others."""
        return count >= limits.queued_commands_max or weight > limits.queued_weight_max

    def _displaced(self, newcomer: Scope, weight: int) -> list[Scope]:
        """Return the tenants whose newest command is dropped for a newcomer, once for each command.

        Empty if the newcomer has its share already, or would push out lighter tenants.
        """
        own = self._queues[newcomer].weight if newcomer in self._queues else 0
        count, total = self._count, self.weight
        heap = [(-queue.weight, scope) for scope, queue in self._queues.items()]
        heapq.heapify(heap)
        dropped: dict[Scope, int] = {}
        displaced: list[Scope] = []
        while self._is_full(count, total + weight):
            if not heap or own * len(heap) >= total or -heap[0][0] <= own + weight:
                return []
            heaviest, scope = heap[0]
            dropped[scope] = dropped.get(scope, 0) + 1
            freed = self._queues[scope].entries[-dropped[scope]].weight
            displaced.append(scope)
            count, total = count - 1, total - freed
            if heaviest + freed < 0:
                heapq.heapreplace(heap, (heaviest + freed, scope))
            else:
                heapq.heappop(heap)
        return displaced

    def _serve(self, weight: int, last: int) -> None:
        """Count commands of this weight as served to the first of the heap; `last` is that of the last."""
        start, _, queue = self._heap[0]
        queue.weight -= weight
        self.weight -= weight
        queue.start = start + weight
        # A call of max takes 800 instructions.
        tag = queue.start - last
        self._virtual_time = tag if tag > self._virtual_time else self._virtual_time
        if queue.entries:
            heapq.heapreplace(self._heap, (queue.start, next(self._numbers), queue))
        else:
            heapq.heappop(self._heap)
            self._close(queue)

    def _drop_newest(self, scope: Scope) -> QueuedSubmission:
        queue = self._queues[scope]
        entry = queue.entries.pop()
        self._weigh(queue, entry.weight, -1)
        if not queue.entries:
            self._close(queue)
            self._rebuild()
        return entry

    def _open(self, scope: Scope) -> _TenantQueue:
        """Start a queue at the virtual time, or where it ended if that is later."""
        now = self._virtual_time
        queue = _TenantQueue(scope, self._ended.pop(scope, now), now)
        self._queues[scope] = queue
        if self._is_served(scope):
            heapq.heappush(self._heap, (queue.start, next(self._numbers), queue))
        return queue

    def _close(self, queue: _TenantQueue) -> None:
        """Remove an empty queue, and remember its debt. The caller removes it from the heap."""
        del self._queues[queue.scope]
        self._ended[queue.scope] = queue.start
        if len(self._ended) > self._ended_max:
            now = self._virtual_time
            self._ended = {scope: end for scope, end in self._ended.items() if end > now}
            # Doubling keeps the cost of this sweep constant for each queue that ends.
            self._ended_max = max(limits.fair_debts_forgotten_min, 2 * len(self._ended))

    def _is_served(self, scope: Scope) -> bool:
        return scope not in self._paused and scope not in self._parked

    def _rebuild(self) -> None:
        """Build the heap anew after a queue was changed that is not the next one."""
        self._heap = [
            (queue.start, next(self._numbers), queue)
            for queue in self._queues.values()
            if self._is_served(queue.scope)
        ]
        heapq.heapify(self._heap)

    def _weigh(self, queue: _TenantQueue, weight: int, sign: int) -> None:
        """Count a command that was added (1) or removed (-1)."""
        self._count += sign
        self.weight += sign * weight
        queue.weight += sign * weight
