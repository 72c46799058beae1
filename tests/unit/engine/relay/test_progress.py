"""A position never passes what was not acknowledged, in any order of outcomes. No crash loses anything."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastpay import limits
from fastpay.engine.relay.lease_ports import Parked
from fastpay.engine.relay.progress import Entry, Logged, Order, Progress

ORDERS: tuple[Order, ...] = ("parallel", "object", "strict")
MANY = 200
LAST = 40
ACTIONS = (
    *("read", "take", "take", "acknowledge", "acknowledge", "fail", "give back"),
    *("wait", "record", "settle", "die"),
)


def log(*numbers: int, objects: int = 2) -> list[Logged]:
    return [Logged(number, f"evt_{number}", "a", str(number % objects), b"{}") for number in numbers]


def start(
    order: Order = "parallel",
    position: int = 0,
    exceptions_max: int | None = None,
    attempts_max: int | None = None,
) -> Progress:
    return Progress(
        order,
        position=position,
        previous=position,
        exceptions_max=exceptions_max,
        attempts_max=attempts_max,
    )


def take(progress: Progress, now_ms: int = 0, first_max: int = MANY, retries_max: int = MANY) -> list[Entry]:
    taken = []
    while (entry := progress.take(now_ms, first_max=first_max, retries_max=retries_max)) is not None:
        taken.append(entry)
    return taken


def numbers(entries: list[Entry]) -> list[int]:
    return [entry.sequence for entry in entries]


def test_the_position_follows_what_is_acknowledged_without_a_hole() -> None:
    progress = start()
    progress.offer(log(2, 4, 7), 9)
    assert progress.position == 1
    second, fourth, seventh = take(progress)
    progress.acknowledge(fourth)
    assert (progress.position, progress.previous) == (1, 0)
    progress.acknowledge(second)
    assert (progress.position, progress.previous) == (6, 4)
    progress.acknowledge(seventh)
    assert (progress.position, progress.previous) == (9, 7)


def test_what_nobody_wants_moves_the_position_without_an_attempt() -> None:
    progress = start()
    progress.offer([], 500)
    assert progress.position == progress.delivered_through == 500
    assert take(progress) == []


def test_each_event_names_the_one_before_it_on_every_attempt() -> None:
    progress = start(position=10)
    progress.offer(log(12, 15), 20)
    first, second = take(progress)
    progress.fail(first, 5)
    progress.offer(log(22), 25)
    (again,) = take(progress, 5, first_max=0)
    assert [(one.sequence, one.previous) for one in (again, second)] == [(12, 10), (15, 12)]
    assert [one.previous for one in take(progress)] == [15]


def test_a_failed_event_lets_the_position_pass_and_is_not_delivered() -> None:
    progress = start()
    progress.offer(log(1, 2, 3), 3)
    first, second, third = take(progress)
    progress.fail(first, 5_000)
    progress.acknowledge(second)
    progress.acknowledge(third)
    assert (progress.position, progress.delivered_through) == (3, 0)
    assert take(progress, 4_999) == []
    (again,) = take(progress, 5_000)
    progress.acknowledge(again)
    assert progress.delivered_through == 3
    assert progress.changed == {1: None}


def test_the_cursor_stops_when_too_many_fail() -> None:
    progress = start(exceptions_max=2)
    progress.offer(log(1, 2, 3, 4), 4)
    failing = take(progress)
    assert numbers(failing) == [1, 2]
    for entry in failing:
        progress.fail(entry, 5_000)
    assert take(progress, 0) == []
    assert (progress.position, progress.delivered_through) == (2, 0)


def test_what_waits_behind_a_failure_is_an_exception_only_while_there_is_room() -> None:
    progress = start("object", exceptions_max=2)
    progress.offer(log(1, 3, 5, 7), 7)
    (first,) = take(progress)
    progress.fail(first, 5_000)
    assert (sorted(progress.parked), progress.position) == ([1, 3], 4)


def test_first_attempts_do_not_queue_behind_retries() -> None:
    progress = start()
    progress.offer(log(*range(1, 9)), 8)
    for entry in take(progress):
        progress.fail(entry, 0)
    assert len(take(progress, 10, retries_max=2)) == 2
    progress.offer(log(9), 9)
    assert numbers(take(progress, 10, first_max=1, retries_max=2)) == [9]


def test_later_events_of_an_object_wait_for_the_earlier_ones() -> None:
    progress = start("object")
    progress.offer(log(1, 2, 3, 5), 5)
    first, second = take(progress)
    assert numbers([first, second]) == [1, 2]
    progress.fail(first, 5_000)
    progress.acknowledge(second)
    assert take(progress, 0) == []
    # What waits lets the position pass as well.
    assert (progress.position, progress.delivered_through) == (5, 0)
    (again,) = take(progress, 5_000)
    progress.acknowledge(again)
    assert numbers(take(progress, 5_000)) == [3]


def test_a_strict_endpoint_gets_one_event_at_a_time() -> None:
    progress = start("strict")
    progress.offer(log(1, 2), 2)
    (first,) = take(progress)
    progress.fail(first, 5_000)
    assert take(progress, 0) == []
    (again,) = take(progress, 5_000)
    progress.acknowledge(again)
    assert numbers(take(progress, 5_000)) == [2]


def test_a_slow_event_holds_nothing_once_it_is_settled() -> None:
    progress = start()
    progress.offer(log(1, 2, 3, 4), 4)
    slow, second = take(progress, first_max=2)
    progress.acknowledge(second)
    assert progress.position == 0
    progress.settle()
    assert (progress.position, progress.delivered_through) == (2, 0)
    progress.acknowledge(slow)
    assert (progress.position, progress.delivered_through) == (2, 2)
    assert numbers(take(progress)) == [3, 4]


def test_what_a_replay_leaves_out_is_the_previous_event_all_the_same() -> None:
    progress = start(exceptions_max=0)
    mixed = [*log(1), Logged(2, "evt_2", "b", "2", b""), *log(3)]
    progress.offer(mixed, 3, types={"a"})
    assert [(one.sequence, one.previous) for one in take(progress)] == [(1, 0), (3, 2)]


def test_a_replay_gives_an_event_up_after_its_attempts() -> None:
    progress = start(exceptions_max=0, attempts_max=2)
    progress.offer(log(1), 1)
    for _ in range(2):
        assert not progress.is_complete
        (entry,) = take(progress, 10)
        progress.fail(entry, 10)
    assert progress.is_complete
    assert progress.position == 1


def test_everything_that_failed_is_due_when_the_receiver_works_again() -> None:
    progress = start()
    progress.offer(log(1, 2), 2)
    for entry in take(progress):
        progress.fail(entry, 10_000)
    progress.hasten()
    assert numbers(take(progress, 0)) == [1, 2]


class Life:
    """An endpoint through outcomes, crashes and restarts, with all that is stored and acknowledged."""

    def __init__(self, order: Order, wanted: list[int], exceptions_max: int) -> None:
        self.order, self.wanted, self.exceptions_max = order, wanted, exceptions_max
        self.progress = start(order, exceptions_max=exceptions_max)
        self.stored: tuple[int, int, dict[int, Parked]] = (0, 0, {})
        self.acknowledged: list[int] = []
        self.named: dict[int, int] = {}
        self.in_flight: list[Entry] = []
        self.now_ms = 0

    def read(self, count: int) -> None:
        below, through = self.progress.read_through, min(LAST, self.progress.read_through + count)
        self.progress.offer(log(*(one for one in self.wanted if below < one <= through)), through)

    def take(self) -> None:
        entry = self.progress.take(self.now_ms, first_max=3, retries_max=1)
        if entry is None:
            return
        before = [one for one in self.wanted if one < entry.sequence and one not in self.acknowledged]
        if self.order == "strict":
            assert before == []
        elif self.order == "object":
            assert [one for one in before if str(one % 2) == entry.object_id] == []
        assert self.named.setdefault(entry.sequence, entry.previous) == entry.previous
        self.in_flight.append(entry)

    def end(self, entry: Entry, outcome: str) -> None:
        if outcome == "acknowledge":
            self.acknowledged.append(entry.sequence)
            self.progress.acknowledge(entry)
        elif outcome == "fail":
            self.progress.fail(entry, self.now_ms + 10)
        else:
            self.progress.give_back(entry, self.now_ms + 1)

    def record(self) -> None:
        parked = dict(self.stored[2])
        for number, entry in self.progress.changed.items():
            if entry is None:
                parked.pop(number, None)
            else:
                parked[number] = Parked(number, entry.previous, entry.object_id, entry.attempts, entry.due_ms)
        self.progress.changed = {}
        self.stored = (self.progress.position, self.progress.previous, parked)

    def die(self) -> None:
        position, previous, parked = self.stored
        entries = [
            Entry(one.sequence, one.previous, one.object_digits, attempts=one.attempts)
            for one in parked.values()
        ]
        self.in_flight = []
        self.progress = Progress(
            self.order,
            position=position,
            previous=previous,
            parked=entries,
            exceptions_max=self.exceptions_max,
        )

    def check(self) -> None:
        """No position, stored or not, has passed what is neither acknowledged nor an exception."""
        progress, done = self.progress, set(self.acknowledged)
        states = (
            (progress.delivered_through, set[int]()),
            (progress.position, set(progress.parked)),
            (self.stored[0], set(self.stored[2])),
        )
        for through, parked in states:
            passed = {one for one in self.wanted if one <= through}
            assert passed <= done | parked
        assert len(progress.parked) <= self.exceptions_max


@given(st.data())
def test_nothing_is_lost_whatever_fails_and_whenever_the_instance_dies(data: st.DataObject) -> None:
    """The receiver gets everything that is wanted, in the promised order. No position runs ahead of it."""
    wanted = sorted(data.draw(st.sets(st.integers(1, LAST), max_size=25)))
    life = Life(data.draw(st.sampled_from(ORDERS)), wanted, data.draw(st.integers(1, 4)))
    for _ in range(data.draw(st.integers(5, 60))):
        action = data.draw(st.sampled_from(ACTIONS))
        if action == "read":
            life.read(data.draw(st.integers(1, 9)))
        elif action in ("acknowledge", "fail", "give back"):
            if life.in_flight:
                chosen = data.draw(st.integers(0, len(life.in_flight) - 1))
                life.end(life.in_flight.pop(chosen), action)
        elif action == "wait":
            life.now_ms += 10
        elif action == "settle":
            life.progress.settle()
        else:
            getattr(life, action)()
        life.check()
    for _ in range(MANY):
        life.now_ms += 100
        life.read(LAST)
        life.take()
        while life.in_flight:
            life.end(life.in_flight.pop(), "acknowledge")
        life.check()
    assert life.progress.delivered_through == LAST
    assert set(life.acknowledged) == set(wanted)
    before = dict(zip(wanted, [0, *wanted], strict=False))
    assert all(before[number] == named for number, named in life.named.items())


def test_the_bound_on_exceptions_is_that_of_the_limits() -> None:
    assert limits.relay_exceptions_max > limits.relay_line_max


@pytest.mark.parametrize("order", ORDERS)
def test_a_stored_state_goes_on_where_it_was(order: Order) -> None:
    entry = Entry(3, 1, "1", attempts=2)
    entry.due_ms = 50
    progress = Progress(order, position=8, previous=7, parked=[entry])
    progress.offer(log(9), 9)
    assert progress.delivered_through == 2
    (again,) = take(progress, 50, first_max=0)
    assert (again.sequence, again.attempts) == (3, 2)
