"""The queue: turns between tenants, order within one, and who is dropped when it is full."""

import asyncio
from collections.abc import Iterable

import msgspec
import pytest

from fastpay import limits
from fastpay.domain.customers import CreateCustomer
from fastpay.domain.identifiers import Scope
from fastpay.domain.plan import Draft, Workspace
from fastpay.engine.write.queue import FairQueue
from fastpay.engine.write.queued import QueuedSubmission, make_entry
from fastpay.errors import Overloaded
from tests.support.memory import submission

ONE, TWO, THREE = (Scope(letter * 32, False) for letter in "abc")


def fill(queue: FairQueue, scope: Scope, count: int) -> list[QueuedSubmission]:
    """Queue so many submissions of a tenant."""
    waitings = [make_entry(submission(CreateCustomer(fields={}), scope=scope), 0) for _ in range(count)]
    for waiting in waitings:
        queue.append(waiting)
    return waitings


def owners(waitings: list[QueuedSubmission]) -> list[Scope]:
    """Return whose they are."""
    return [waiting.submission.scope for waiting in waitings]


async def test_one_tenant_is_served_in_order() -> None:
    queue = FairQueue()
    waitings = fill(queue, ONE, 5)
    assert queue.take(3, weight=100) + queue.take(3, weight=100) == waitings
    assert len(queue) == 0


async def test_tenants_share_a_batch_alike_and_what_one_leaves_goes_to_the_others() -> None:
    queue = FairQueue()
    fill(queue, ONE, 20)
    fill(queue, TWO, 20)
    fill(queue, THREE, 1)
    taken = owners(queue.take(9, weight=100))
    assert [taken.count(scope) for scope in (ONE, TWO, THREE)] == [4, 4, 1]
    assert len(queue) == 32


async def test_more_tenants_than_a_batch_has_room_for_take_turns_from_batch_to_batch() -> None:
    queue = FairQueue()
    for scope in (ONE, TWO, THREE):
        fill(queue, scope, 4)
    taken = owners(queue.take(2, weight=100) + queue.take(2, weight=100) + queue.take(2, weight=100))
    assert [taken.count(scope) for scope in (ONE, TWO, THREE)] == [2, 2, 2]


async def test_who_comes_after_a_tenant_was_alone_starts_where_that_one_was_served_last() -> None:
    queue = FairQueue()
    fill(queue, ONE, 8)
    queue.take(5, weight=100)
    fill(queue, TWO, 3)
    assert owners(queue.take(4, weight=100)) == [TWO, ONE, TWO, ONE]


async def test_a_lighter_command_that_does_not_fit_sets_no_newcomer_back() -> None:
    queue = FairQueue()
    put(queue, ONE, 8000, 200, 200)
    assert len(queue.take(100, weight=8192)) == 1
    fill(queue, TWO, 7000)
    assert owners(queue.take(7001, weight=8192)) == [TWO] * 7000 + [ONE]


async def test_a_heavier_command_that_does_not_fit_lets_no_newcomer_overtake() -> None:
    queue = FairQueue()
    fill(queue, THREE, 50)
    queue.take(50, weight=100)
    put(queue, ONE, *[1] * 60, 100)
    assert len(queue.take(100, weight=60)) == 60
    fill(queue, TWO, 200)
    assert ONE in owners(queue.take(3, weight=8192))


async def test_what_is_put_back_is_the_first_again_in_its_order() -> None:
    queue = FairQueue()
    waitings = fill(queue, ONE, 6)
    queue.put_back(queue.take(3, weight=100))
    assert len(queue) == 6
    assert queue.take(6, weight=100) == waitings


class Heavy(msgspec.Struct, frozen=True):
    """A command that is worth many."""

    weight: int

    def needs(self, workspace: Workspace) -> Iterable[str]:
        """Need nothing."""
        return ()

    def execute(self, workspace: Workspace, draft: Draft) -> str:
        """Never be executed."""
        raise NotImplementedError


def put(queue: FairQueue, scope: Scope, *weights: int) -> list[QueuedSubmission]:
    """Queue commands of these weights."""
    entries = [make_entry(submission(Heavy(weight), scope=scope), 0) for weight in weights]
    for entry in entries:
        queue.append(entry)
    return entries


def refused(entries: list[QueuedSubmission]) -> list[int]:
    """Return which commands were dropped, by their number."""
    return [
        number
        for number, entry in enumerate(entries)
        if isinstance(entry.future, asyncio.Future) and entry.future.done() and entry.future.exception()
    ]


async def test_a_full_queue_drops_the_newest_of_the_heaviest_tenant_for_one_with_less_than_its_share(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "queued_commands_max", 8)
    queue = FairQueue()
    long, short = fill(queue, ONE, 6), fill(queue, TWO, 2)
    with pytest.raises(Overloaded):
        fill(queue, ONE, 1)
    fill(queue, THREE, 1)
    fill(queue, TWO, 1)
    assert (refused(long), refused(short), len(queue)) == ([4, 5], [], 8)
    # Each has its share now, and heavy commands must not take the place of light ones.
    for scope, weight in ((ONE, 1), (TWO, 1), (THREE, 3)):
        assert not queue.has_room(scope, weight)
        with pytest.raises(Overloaded):
            put(queue, scope, weight)
    assert (refused(long), len(queue.take(9, weight=100))) == ([4, 5], 8)


async def test_what_weighs_much_is_dropped_for_what_weighs_little(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "queued_weight_max", 350)
    queue = FairQueue()
    light = fill(queue, ONE, 50)
    heavy = put(queue, TWO, 100, 100, 100)
    with pytest.raises(Overloaded):
        put(queue, TWO, 100)
    # Fifty plain commands are less than three heavy ones.
    light += fill(queue, ONE, 1)
    assert (refused(heavy), refused(light)) == ([2], [])
    assert (len(queue), queue.weight) == (53, 251)
    assert set(light) <= set(queue.take(100, weight=1000))
    assert (len(queue), queue.weight) == (0, 0)


async def test_nothing_is_dropped_for_a_command_that_is_refused_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "queued_weight_max", 100)
    queue = FairQueue()
    queued = [*put(queue, ONE, 30, 30), *put(queue, TWO, 40)]
    # Dropping 30 of the first would not be enough, and then nobody has more than the newcomer.
    assert not queue.has_room(THREE, 45)
    with pytest.raises(Overloaded):
        put(queue, THREE, 45)
    assert refused(queued) == []
    # A lighter one drops as many as it needs.
    assert queue.has_room(THREE, 35)
    put(queue, THREE, 35)
    assert (refused(queued), queue.weight) == ([1, 2], 65)


async def test_a_tenant_whose_only_command_was_dropped_is_not_served(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "queued_weight_max", 50)
    queue = FairQueue()
    heavy = put(queue, ONE, 50)
    light = put(queue, TWO, 5)
    assert (refused(heavy), ONE in queue) == ([0], False)
    assert queue.take(5, weight=100) == light


async def test_heavy_commands_fill_a_batch_sooner_and_are_never_left_behind() -> None:
    queue = FairQueue()
    heavy = [make_entry(submission(Heavy(60), scope=ONE), 0) for _ in range(2)]
    too_heavy = make_entry(submission(Heavy(500), scope=ONE), 0)
    for waiting in (*heavy, too_heavy):
        queue.append(waiting)
    fill(queue, TWO, 3)
    assert queue.weight == 60 + 60 + 500 + 3
    first = queue.take(10, weight=100)
    assert heavy[0] in first
    assert heavy[1] not in first
    assert queue.take(10, weight=100)[0] is heavy[1]
    rest = queue.take(10, weight=100)
    assert rest[0] is too_heavy
    while len(queue):
        queue.take(10, weight=100)
    assert queue.weight == 0


async def test_what_does_not_fit_into_what_is_left_waits_for_a_batch_of_its_own() -> None:
    queue = FairQueue()
    queue.append(make_entry(submission(Heavy(100), scope=ONE), 0))
    assert queue.take(10, weight=50, at_least_one=False) == []
    assert (len(queue), queue.weight) == (1, 100)
    assert len(queue.take(10, weight=50)) == 1
