"""The queue: turns between tenants, order within one, and who gives way when it is full."""

from collections.abc import Iterable

import msgspec
import pytest

from fastpay.domain.customers import CreateCustomer
from fastpay.domain.identifiers import Scope
from fastpay.domain.plan import Draft, Workspace
from fastpay.engine.write.queue import FairQueue, Waiting, wait
from tests.support.memory import submission

pytestmark = pytest.mark.anyio

ONE, TWO, THREE = (Scope(letter * 32, False) for letter in "abc")


def fill(queue: FairQueue, scope: Scope, count: int) -> list[Waiting]:
    """Put so many submissions of a tenant in line."""
    waitings = [wait(submission(CreateCustomer(fields={}), scope=scope), 0) for _ in range(count)]
    for waiting in waitings:
        queue.append(waiting)
    return waitings


def owners(waitings: list[Waiting]) -> list[Scope]:
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


async def test_more_tenants_than_places_take_turns_from_batch_to_batch() -> None:
    queue = FairQueue()
    for scope in (ONE, TWO, THREE):
        fill(queue, scope, 4)
    taken = owners(queue.take(2, weight=100) + queue.take(2, weight=100) + queue.take(2, weight=100))
    assert [taken.count(scope) for scope in (ONE, TWO, THREE)] == [2, 2, 2]


async def test_what_is_put_back_is_the_first_again_in_its_order() -> None:
    queue = FairQueue()
    waitings = fill(queue, ONE, 6)
    queue.put_back(queue.take(3, weight=100))
    assert len(queue) == 6
    assert queue.take(6, weight=100) == waitings


async def test_the_heaviest_line_gives_way_to_who_has_less_than_a_share() -> None:
    queue = FairQueue()
    long = fill(queue, ONE, 6)
    fill(queue, TWO, 2)
    assert queue.heaviest_line(THREE, 1) == ONE
    assert queue.heaviest_line(TWO, 1) == ONE
    assert queue.heaviest_line(ONE, 1) is None
    # It would only change places with who gave way to it.
    assert queue.heaviest_line(TWO, 4) is None
    assert queue.drop_youngest(ONE) is long[-1]
    assert len(queue) == 7
    assert queue.take(7, weight=100).count(long[0]) == 1


async def test_a_line_that_gave_its_last_away_is_no_line() -> None:
    queue = FairQueue()
    fill(queue, ONE, 1)
    queue.drop_youngest(ONE)
    assert (len(queue), queue.take(5, weight=100)) == (0, [])


class Heavy(msgspec.Struct, frozen=True):
    """A command that is worth many."""

    weight: int

    def needs(self, workspace: Workspace) -> Iterable[str]:
        """Need nothing."""
        return ()

    def execute(self, workspace: Workspace, draft: Draft) -> str:
        """Never be executed."""
        raise NotImplementedError


async def test_heavy_commands_fill_a_batch_sooner_and_are_never_left_behind() -> None:
    queue = FairQueue()
    heavy = [wait(submission(Heavy(60), scope=ONE), 0) for _ in range(2)]
    too_heavy = wait(submission(Heavy(500), scope=ONE), 0)
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


async def test_what_weighs_much_gives_way_to_what_weighs_little() -> None:
    queue = FairQueue()
    many = fill(queue, ONE, 50)
    for _ in range(3):
        queue.append(wait(submission(Heavy(100), scope=TWO), 0))
    # Fifty plain commands are less than three heavy ones.
    assert queue.heaviest_line(THREE, 1) == TWO
    assert queue.heaviest_line(ONE, 1) == TWO
    assert queue.heaviest_line(TWO, 100) is None
    queue.drop_youngest(TWO)
    assert (len(queue), queue.weight) == (52, 250)
    assert set(many) <= set(queue.take(100, weight=1000))
    assert (len(queue), queue.weight) == (0, 0)


async def test_what_does_not_fit_into_what_is_left_waits_for_a_batch_of_its_own() -> None:
    queue = FairQueue()
    queue.append(wait(submission(Heavy(100), scope=ONE), 0))
    assert queue.take(10, weight=50, at_least_one=False) == []
    assert (len(queue), queue.weight) == (1, 100)
    assert len(queue.take(10, weight=50)) == 1
