"""The queue is fair by weight, whatever comes in whatever order."""

import asyncio
from collections import deque

from hypothesis import given, settings
from hypothesis import strategies as st

from fastpay import limits
from fastpay.domain.identifiers import Scope
from fastpay.engine.write.queue import FairQueue
from fastpay.engine.write.queued import QueuedSubmission
from tests.support.memory import submission
from tests.unit.engine.write.test_queue import Heavy

SCOPES = [Scope(letter * 32, False) for letter in "abcd"]
WEIGHTS = st.one_of(st.integers(1, 5), st.sampled_from([100, 4_000, limits.batch_weight_max]))
ARRIVALS = st.tuples(st.just("arrive"), st.sampled_from(SCOPES), WEIGHTS)
TAKES = st.tuples(st.just("take"), st.integers(1, 6), st.sampled_from([10, 500, limits.batch_weight_max]))
RETURNS = st.tuples(st.just("return"), st.just(0), st.just(0))


def command(scope: Scope, weight: int) -> QueuedSubmission:
    """Return a command that nobody waits for."""
    future: asyncio.Future[object] = asyncio.Future(loop=LOOP)
    return QueuedSubmission(submission(Heavy(weight), scope=scope, number=0), b"", weight, future, 0)


LOOP = asyncio.new_event_loop()


class Model:
    """What every line should hold, and what pairs of tenants were served while both had something waiting."""

    def __init__(self) -> None:
        self.lines: dict[Scope, deque[QueuedSubmission]] = {scope: deque() for scope in SCOPES}
        # For a pair: what the one was served more than the other, and the least and most that this was.
        self.leads: dict[tuple[Scope, Scope], tuple[int, int, int]] = {}
        self.heaviest = dict.fromkeys(SCOPES, 0)
        self.returned = 0

    def arrive(self, waiting: QueuedSubmission) -> None:
        """Have a command join its line."""
        scope = waiting.submission.scope
        self.lines[scope].append(waiting)
        self.heaviest[scope] = max(self.heaviest[scope], waiting.weight)
        self._look()

    def serve(self, waiting: QueuedSubmission) -> None:
        """Have a command leave its line, and hold what was served to the bound."""
        scope = waiting.submission.scope
        assert self.lines[scope].popleft() is waiting
        self._count(scope, waiting.weight)
        self._look()

    def take_back(self, waiting: QueuedSubmission) -> None:
        """Have a command stand first again."""
        scope = waiting.submission.scope
        self.returned += waiting.weight
        self.lines[scope].appendleft(waiting)
        self._count(scope, -waiting.weight)
        self._look()

    def _count(self, scope: Scope, weight: int) -> None:
        for (one, other), (lead, least, most) in self.leads.items():
            now = lead + (weight if scope == one else -weight if scope == other else 0)
            self.leads[one, other] = (now, min(least, now), max(most, now))
            # The theorem of start-time fair queueing. What was put back may be served ahead of newcomers.
            bound = self.heaviest[one] + self.heaviest[other] + self.returned
            assert max(most, now) - min(least, now) <= bound

    def _look(self) -> None:
        """Begin to count for pairs that both wait now, and end it where one waits no longer."""
        for number, one in enumerate(SCOPES):
            for other in SCOPES[number + 1 :]:
                if self.lines[one] and self.lines[other]:
                    self.leads.setdefault((one, other), (0, 0, 0))
                else:
                    self.leads.pop((one, other), None)


@settings(max_examples=200)
@given(st.lists(st.one_of(ARRIVALS, ARRIVALS, TAKES, RETURNS), max_size=60))
def test_what_two_waiting_tenants_are_served_differs_by_one_command_of_each(
    steps: list[tuple[str, object, int]],
) -> None:
    queue, model = FairQueue(), Model()
    taken: list[QueuedSubmission] = []
    for step, which, weight in steps:
        if step == "arrive":
            assert isinstance(which, Scope)
            waiting = command(which, weight)
            queue.append(waiting)
            model.arrive(waiting)
        elif step == "take":
            assert isinstance(which, int)
            taken = queue.take(which, weight=weight)
            assert len(taken) <= which
            assert len(taken) == 1 or sum(one.weight for one in taken) <= weight
            for waiting in taken:
                model.serve(waiting)
        else:
            queue.put_back(taken)
            for waiting in reversed(taken):
                model.take_back(waiting)
            taken = []
        assert len(queue) == sum(map(len, model.lines.values()))
        assert queue.weight == sum(one.weight for line in model.lines.values() for one in line)
        assert {scope for scope in SCOPES if scope in queue} == {
            one for one, line in model.lines.items() if line
        }
    while len(queue):
        for waiting in queue.take(5, weight=limits.batch_weight_max):
            model.serve(waiting)


@given(st.lists(WEIGHTS, min_size=1, max_size=30), st.integers(0, 30))
def test_a_newcomer_waits_for_one_command_of_each_other_line(weights: list[int], served: int) -> None:
    queue = FairQueue()
    for number, weight in enumerate(weights):
        queue.append(command(SCOPES[number % 3], weight))
    for _ in range(min(served, len(weights))):
        queue.take(1, weight=1)
    newcomer = command(SCOPES[3], 1)
    queue.append(newcomer)
    before = []
    while newcomer not in (taken := queue.take(1, weight=1)):
        before += [waiting.submission.scope for waiting in taken]
    assert len(before) == len(set(before))


def test_six_lines_of_heavy_batches_hold_nobody_up_for_more_than_one() -> None:
    """What was seen: a command waited for all heavy batches of another tenant, later ones included."""
    queue = FairQueue()
    for _ in range(6):
        queue.append(command(SCOPES[0], 8_190))
    waited = []
    for _ in range(50):
        own = command(SCOPES[1], 1)
        queue.append(own)
        turns = 0
        while own not in queue.take(512, weight=limits.batch_weight_max):
            turns += 1
            assert turns <= 1
            # Whoever had a heavy batch answered sends the next one.
            queue.append(command(SCOPES[0], 8_190))
        waited.append(turns)
    assert sum(waited) <= 1


def test_who_comes_back_to_an_empty_line_owes_what_it_was_served() -> None:
    queue = FairQueue()
    steady, returning = SCOPES[0], SCOPES[1]
    served = dict.fromkeys((steady, returning), 0)
    queue.append(command(returning, 1_000))
    for _ in range(20):
        queue.append(command(steady, 300))
    while steady in queue:
        (taken,) = queue.take(1, weight=1)
        served[taken.submission.scope] += taken.weight
        if taken.submission.scope == returning:
            queue.append(command(returning, 1_000))
    assert abs(served[steady] - served[returning]) <= 1_300


def test_the_debts_of_lines_that_are_even_are_forgotten() -> None:
    queue = FairQueue()
    queue.append(command(SCOPES[0], 200_000))
    queue.take(1, weight=1)
    for number in range(4 * limits.fair_debts_forgotten_min):
        queue.append(command(Scope(f"{number:032}", False), 1))
        queue.append(command(SCOPES[1], 1))
        queue.take(2, weight=2)
    assert len(queue._ended) <= limits.fair_debts_forgotten_min + 1
    assert SCOPES[0] in queue._ended
