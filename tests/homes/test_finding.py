"""A first read of an object asks the home of its tenant before the database."""

import asyncio
from collections.abc import AsyncIterator, Callable

import msgspec
import pytest

from fastpay import limits
from fastpay.domain.identifiers import Scope
from fastpay.domain.plan import Versioned
from fastpay.engine.homes import finding, messages
from fastpay.engine.homes.messages import Find, Found, Seen, Shown, Wanted
from fastpay.engine.read import copy_ports
from tests.support.engine import make_tenant
from tests.support.homes import Instance, instance, introduce
from tests.support.servers import PATIENCE_SECONDS
from tests.support.world import PAY


@pytest.fixture
async def scope(database_url: str) -> Scope:
    return await make_tenant(database_url)


@pytest.fixture
async def trio(database_url: str, scope: Scope) -> AsyncIterator[tuple[Instance, Instance, Instance]]:
    """The home, the instance that is asked for payments, and one that is asked for them later."""
    async with instance(database_url) as one, instance(database_url) as two, instance(database_url) as three:
        await introduce(one, two, three)
        home = next(member for member in (one, two, three) if member.homes.home(scope) is None)
        asked, other = (member for member in (one, two, three) if member is not home)
        # A home shows what PostgreSQL has confirmed lately.
        await _confirm(home, scope)
        yield home, asked, other


async def test_what_another_instance_made_is_read_from_the_home_without_a_statement(
    trio: tuple[Instance, Instance, Instance], scope: Scope
) -> None:
    _, asked, other = trio
    made = [await _pay(asked, scope) for _ in range(3)]
    found = await asyncio.gather(*(other.engine.reader.get(scope, one.object.id) for one in made))
    assert found == made
    assert _counts(other) == (0, 3)
    # And it is cached here, with what the home has said of the sequence.
    assert await other.engine.reader.get(scope, made[0].object.id) == made[0]
    assert _counts(other) == (0, 3)


async def test_what_the_home_does_not_have_is_read_from_the_database(
    trio: tuple[Instance, Instance, Instance], scope: Scope
) -> None:
    home, asked, other = trio
    made = await _pay(asked, scope)
    home.engine.reader.partition(scope).entries.clear()
    assert await other.engine.reader.get(scope, made.object.id) == made
    assert _counts(other) == (1, 0)


async def test_a_home_that_has_little_is_asked_for_little(
    trio: tuple[Instance, Instance, Instance], scope: Scope
) -> None:
    home, _, other = trio
    link = other.homes.home(scope)
    assert link is not None
    for number in range(64):
        await other.engine.reader.get(scope, f"pi_{number << 8 | 1:032x}")
    assert not link.wants("pi_" + "1" * 32)
    # A sample is asked for all the same, and finds out when there is more.
    made, reader = await _pay(home, scope), home.engine.reader
    for number in range(24):
        sampled = f"pi_{number << 8 | 0x80:032x}"
        one = Versioned(msgspec.structs.replace(made.object, id=sampled), 1, made.sequence)
        reader.cache.put(reader.partition(scope), sampled, 1, one, 1_000)
        assert await other.engine.reader.get(scope, sampled) == one
    assert link.wants("pi_" + "1" * 32)


async def test_a_home_that_says_nothing_is_waited_for_a_moment_and_then_not_asked(
    trio: tuple[Instance, Instance, Instance], scope: Scope
) -> None:
    _, asked, other = trio
    made, later = await _pay(asked, scope), await _pay(asked, scope)
    link = other.homes.home(scope)
    assert link is not None
    for cable in other.network.cables:
        cable.holds_questions = True
    assert await other.engine.reader.get(scope, made.object.id) == made
    # It is slow, and not gone.
    assert link.is_open
    assert not link.wants(later.object.id)
    assert await other.engine.reader.get(scope, later.object.id) == later
    assert _counts(other) == (2, 0)


async def test_nobody_waits_for_a_home_whose_connection_has_ended(
    trio: tuple[Instance, Instance, Instance], scope: Scope, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "home_find_ms", 60_000)
    _, asked, other = trio
    made = await _pay(asked, scope)
    for cable in other.network.cables:
        cable.holds_questions = True
    reading = asyncio.create_task(other.engine.reader.get(scope, made.object.id))
    await asyncio.sleep(0.01)
    for cable in other.network.cables:
        cable.wire.abort()
    async with asyncio.timeout(PATIENCE_SECONDS):
        assert await reading == made
    assert _counts(other) == (1, 0)


@pytest.mark.parametrize(
    "change",
    [
        lambda found: msgspec.structs.replace(found, seen=[]),
        lambda found: msgspec.structs.replace(found, seen=found.seen * 2),
        lambda found: msgspec.structs.replace(
            found, seen=[msgspec.structs.replace(one, shown=_of_another_kind(one)) for one in found.seen]
        ),
    ],
    ids=["none", "more", "another kind"],
)
async def test_an_answer_to_another_question_is_not_believed(
    trio: tuple[Instance, Instance, Instance], scope: Scope, change: Callable[[Found], Found]
) -> None:
    _, asked, other = trio
    made = await _pay(asked, scope)
    for cable in other.network.cables:
        cable.received = _changing(cable.received, change)
    assert await other.engine.reader.get(scope, made.object.id) == made
    assert _counts(other) == (1, 0)


async def test_an_object_of_another_tenant_is_not_believed(
    trio: tuple[Instance, Instance, Instance], scope: Scope, database_url: str
) -> None:
    home, asked, other = trio
    made, mine = await _pay(asked, scope), await _pay(asked, scope)
    show = home.homes.serving._show
    for guest in home.homes.serving._guests:
        guest._show = lambda owner, _: show(owner, made.object.id)
    assert await other.engine.reader.get(scope, mine.object.id) == mine
    stranger = await make_tenant(database_url, "stranger")
    assert await other.engine.reader.get(stranger, made.object.id) is None
    assert _counts(other)[1] == 0


async def test_who_is_alone_asks_nobody(database_url: str, scope: Scope) -> None:
    async with instance(database_url) as one:
        async with instance(database_url) as other:
            await introduce(one, other)
            assert one.engine.reader._missed.neighbours is one.homes
            await other.homes.leave()
            await one.membership.read_moment()
        assert one.engine.reader._missed.neighbours is None


def _of_another_kind(seen: Seen | None) -> Shown:
    assert seen is not None
    assert seen.shown is not None
    return msgspec.structs.replace(seen.shown, kind="objects.Customer")


def _changing(received: Callable[[bytes], None], change: Callable[[Found], Found]) -> Callable[[bytes], None]:
    def receive(frame: bytes) -> None:
        message = messages.decode(frame)
        received(messages.encode(change(message)) if isinstance(message, Found) else frame)

    return receive


def _counts(one: Instance) -> tuple[int, int]:
    """Return how many statements have read objects, and how many objects a home has shown."""
    counts = one.engine.reader.counts()
    return counts["reads_statements"], counts["reads_homes_shown"]


async def _confirm(one: Instance, scope: Scope) -> None:
    reader = one.engine.reader
    reader.partition(scope).was_used = True
    await reader.confirmations.confirm()


async def _pay(one: Instance, scope: Scope) -> Versioned:
    (paid,) = (await one.submit(PAY, scope)).objects.values()
    return paid


def test_what_cannot_travel_is_answered_with_nothing() -> None:
    wanted = [Wanted("a" * 32, False, "pi_1"), Wanted("a" * 32, False, "pi_2")]
    answer = finding.answer(
        Find(7, wanted), lambda _, name: copy_ports.Seen(None, 1 << int(name[-1]) * 40, 0)
    )
    assert messages.decode(answer) == Found(7, [None, None])
