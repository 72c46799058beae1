"""The choice between a primary and its replica: by places in the log, and by the tenant's sequence."""

import asyncio
from typing import cast

import pytest

from fastpay.domain.identifiers import Scope
from fastpay.engine.ports import ReaderStore
from fastpay.engine.read.replica import Replica
from fastpay.engine.read.replica_ports import Position, ReplicaStore
from fastpay.errors import DatabaseUnavailable, Overloaded
from tests.support.memory import TENANT
from tests.unit.engine.readings import HandClock

STALENESS_MS = 1_000
SCOPE = TENANT


class Database:
    """A database whose log is at a place."""

    def __init__(self, name: str, *, is_standby: bool) -> None:
        self.name = name
        self.position = Position(is_standby, "one:00000001", 100)
        self.sequence = 5
        self.error: Exception | None = None

    def come_to(self, place: int, history: str = "one:00000001") -> None:
        """Write or replay its log up to this place."""
        self.position = self.position._replace(place=place, history=history)

    async def read_position(self) -> Position:
        """Return the position, or fail."""
        if self.error is not None:
            raise self.error
        return self.position

    async def read_sequences(self, scopes: list[Scope]) -> dict[Scope, int]:
        """Return the same sequence for all, or fail."""
        if self.error is not None:
            raise self.error
        return dict.fromkeys(scopes, self.sequence)


class World:
    """A replica and its primary, and a clock that is moved by hand."""

    def __init__(self) -> None:
        self.clock = HandClock()
        self.primary = Database("primary", is_standby=False)
        self.standby = Database("standby", is_standby=True)
        self.replica = Replica(
            cast(ReplicaStore, self.primary),
            cast(ReplicaStore, self.standby),
            clock=self.clock,
            staleness_ms=STALENESS_MS,
        )

    async def answerer(self, shown: int | None = 0) -> str:
        """Return who answers."""

        async def ask(store: ReaderStore) -> str:
            database = cast(Database, store)
            if database.error is not None:
                raise database.error
            return database.name

        return await self.replica.read(SCOPE, shown, ask)


@pytest.fixture
def world() -> World:
    return World()


async def test_nobody_asks_it_before_it_was_checked(world: World) -> None:
    assert await world.answerer() == "primary"
    await world.replica.check()
    assert await world.answerer() == "standby"
    assert (world.replica.answered, world.replica.passed_by) == (1, 1)


async def test_one_that_is_always_a_little_behind_answers(world: World) -> None:
    """It never reaches the place that the primary names now, and does reach earlier ones."""
    for _ in range(20):
        world.clock.advance(250)
        world.primary.come_to(world.primary.position.place + 10)
        await world.replica.check()
        world.standby.come_to(world.primary.position.place)
    assert await world.answerer() == "standby"


async def test_what_it_lacks_is_never_older_than_the_bound(world: World) -> None:
    await world.replica.check()
    world.primary.come_to(101)
    world.clock.advance(STALENESS_MS - 1)
    await world.replica.check()
    assert await world.answerer() == "standby"
    world.clock.advance(1)
    assert await world.answerer() == "primary"
    world.standby.come_to(101)
    await world.replica.check()
    assert await world.answerer() == "standby"


async def test_it_must_have_come_to_what_was_shown(world: World) -> None:
    await world.replica.check()
    assert await world.answerer(shown=5) == "standby"
    assert await world.answerer(shown=6) == "primary"
    assert await world.answerer(shown=None) == "primary"


@pytest.mark.parametrize(
    "position",
    [
        Position(True, "one:00000002", 900),
        Position(True, "two:00000001", 900),
        Position(False, "one:00000001", 900),
    ],
    ids=["another timeline", "another cluster", "no standby"],
)
async def test_a_place_in_another_log_proves_nothing(world: World, position: Position) -> None:
    await world.replica.check()
    world.standby.position = position
    await world.replica.check()
    assert await world.answerer() == "primary"


@pytest.mark.parametrize("error", [DatabaseUnavailable("away"), TimeoutError()])
async def test_the_primary_answers_for_one_that_fails_until_it_was_checked_again(
    world: World, error: Exception
) -> None:
    await world.replica.check()
    world.standby.error = error
    assert await world.answerer() == "primary"
    world.standby.error = None
    assert await world.answerer() == "primary"
    await world.replica.check()
    assert await world.answerer() == "standby"


async def test_a_tenant_beyond_its_share_is_not_let_in_by_the_primary(world: World) -> None:
    await world.replica.check()
    world.standby.error = Overloaded("too many")
    with pytest.raises(Overloaded):
        await world.answerer()


async def test_it_is_checked_until_the_end(world: World) -> None:
    world.replica.start()
    for _ in range(10):
        await asyncio.sleep(0)
    await world.replica.close()
    assert await world.answerer() == "standby"
