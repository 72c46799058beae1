"""Searches on a real database, held against the slow, plain way, wherever the index happens to have come."""

import asyncio
import random
from collections.abc import Sequence
from typing import Any

import pytest

from fastpay import limits
from fastpay.api.app import RESOURCES
from fastpay.api.search import parse
from fastpay.domain import kinds
from fastpay.domain.customers import CreateCustomer, DeleteCustomer, UpdateCustomer
from fastpay.domain.identifiers import Scope, digits, prefix_of
from fastpay.domain.objects import Charge, Customer, PaymentIntent, StoredObject
from fastpay.domain.payment_intents import CreatePaymentIntent, UpdatePaymentIntent
from fastpay.domain.refunds import CreateRefund
from fastpay.domain.search import FIELDS
from fastpay.engine.ports import Page
from fastpay.errors import InvalidRequest, Overloaded
from fastpay.store.connections import connected
from tests.reference.search import Condition, finds, query_text
from tests.support.engine import Engine, engine, make_tenant, read_events, read_versions
from tests.support.world import card

NAMES = ("Ada Lovelace", "ADA", "Grace 'H' Hopper", 'O"Brien \\', "Straße", "ab", None)
KEYS = ("order", 'odd "key"]', "k")
VALUES = ("1", "Gold", "gold leaf", "x" * 40)
CARDS = ("visa", "mastercard", "chargeDeclined", "bypassPending")


async def populate(instance: Engine, scope: Scope, chance: random.Random, count: int) -> None:
    """Do this many things that searches must hear of."""
    customers: list[str] = []
    intents: list[StoredObject] = []
    for _ in range(count):
        metadata = {key: chance.choice(VALUES) for key in KEYS if chance.random() < 0.4}
        match chance.randrange(6):
            case 0:
                fields = {"name": chance.choice(NAMES), "email": chance.choice(("a@example.com", None))}
                made = await instance.do(CreateCustomer(fields=fields, metadata=metadata), scope)
                customers.append(made.id)
            case 1 if customers:
                change = UpdateCustomer(
                    id=chance.choice(customers), fields={"name": chance.choice(NAMES)}, metadata=metadata
                )
                await instance.do(change, scope)
            case 2 if customers and chance.random() < 0.3:
                await instance.do(DeleteCustomer(id=customers.pop(chance.randrange(len(customers)))), scope)
            case 3 if intents:
                # What was changed or given back already may be refused, which changes nothing.
                await instance.submit(CreateRefund(payment_intent=intents.pop().id), scope)
            case 4 if intents:
                change_intent = UpdatePaymentIntent(id=chance.choice(intents).id, metadata=metadata)
                await instance.submit(change_intent, scope)
            case _:
                pay = CreatePaymentIntent(
                    amount=chance.choice((100, 200, 5000)),
                    currency=chance.choice(("usd", "eur")),
                    secret="s",
                    customer=chance.choice([*customers, None]),
                    payment_method=card(chance.choice(CARDS)),
                    confirm=chance.random() < 0.8,
                    metadata=metadata,
                )
                outcome = await instance.submit(pay, scope)
                assert outcome.answer.object_id is not None
                intents.append(outcome.objects[outcome.answer.object_id].object)


def condition(chance: random.Random, kind: str, objects: Sequence[StoredObject]) -> Condition:
    """Return a condition that some object may well meet."""
    path = chance.choice(list(FIELDS[kind]))
    field = FIELDS[kind][path]
    negated = chance.random() < 0.3
    if path == "metadata":
        operator = chance.choice((":", ":", "~"))
        wanted: str | int | None = chance.choice((*VALUES, "gOLD", "nothing"))
        if operator == "~":
            wanted = chance.choice(("old", "LEAF", "xxx"))
        elif chance.random() < 0.3:
            wanted = None
        return Condition(path, operator, wanted, chance.choice(KEYS), negated)
    value = field.read(chance.choice(objects))
    if field.type == "number":
        assert isinstance(value, int)
        return Condition(path, chance.choice((":", ">", "<", ">=", "<=")), value, None, negated)
    if value is None or (field.optional and chance.random() < 0.2):
        return Condition(path, ":", None, None, negated)
    text = str(value)
    if field.type == "text" and len(text) > 3 and chance.random() < 0.6:
        start = chance.randrange(len(text) - 3)
        return Condition(path, "~", text[start : start + chance.randint(3, 6)].swapcase(), None, negated)
    return Condition(path, ":", text.upper(), None, negated)


def searchable(latest: dict[str, StoredObject], kind: str) -> list[StoredObject]:
    """Return the objects of a kind that a search may find, newest first."""
    found = [
        stored
        for stored in latest.values()
        if prefix_of(stored.id) == kind and not (isinstance(stored, Customer) and stored.deleted)
    ]
    return sorted(found, key=lambda stored: digits(stored.id), reverse=True)


async def read_latest(database_url: str, scope: Scope) -> dict[str, StoredObject]:
    """Return the latest version of every object."""
    async with connected(database_url) as connection:
        versions = await read_versions(connection, scope)
    versions.sort(key=lambda versioned: versioned.version)
    return {versioned.object.id: versioned.object for versioned in versions}


async def searched(instance: Engine, scope: Scope, text: str, kind: str, page: Page) -> list[str]:
    """Return the identifiers that a search shows."""
    found = await instance.reads.search(scope, parse(text, kinds.KINDS[kind]), page)
    return [versioned.object.id for versioned in found]


@pytest.mark.parametrize("seed", range(4))
async def test_a_search_finds_what_the_plain_way_finds(
    database_url: str, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    # Small enough that every way to look is taken.
    for name, value in (("recent_entries", 3), ("step_entries", 5), ("candidates_step", 2)):
        monkeypatch.setattr(limits, f"search_{name}", value)
    chance = random.Random(seed)
    scope = await make_tenant(database_url)
    found_some, came_by = 0, set()
    async with engine(database_url) as instance:
        for stage in range(4):
            await populate(instance, scope, chance, 25)
            if stage % 2:
                # From here on part of what there is stands in the index, and part behind it.
                while await instance.reads.search_index.advance(scope):
                    pass
                await populate(instance, scope, chance, 6)
            latest = await read_latest(database_url, scope)
            for _ in range(40):
                kind = chance.choice(list(FIELDS))
                objects = searchable(latest, kind)
                if not objects:
                    continue
                count = chance.randint(1, 3)
                conditions = [condition(chance, kind, objects) for _ in range(count)]
                is_any = chance.random() < 0.4 and count > 1
                text = query_text(conditions, is_any)
                expected = [
                    stored.id
                    for stored in objects
                    if finds(conditions, is_any, RESOURCES.render(stored, False))
                ]
                page = Page(limit=chance.choice((1, 2, 5, 100)))
                assert await searched(instance, scope, text, kind, page) == expected[: page.limit + 1], text
                if len(expected) > 2:
                    below = Page(limit=page.limit, below=digits(expected[1]))
                    rest = expected[2:][: page.limit + 1]
                    assert await searched(instance, scope, text, kind, below) == rest, text
                found_some += bool(expected)
                came_by.add((kind, stage))
    assert found_some > 40, (seed, found_some)
    assert len(came_by) > 8


async def test_every_version_of_what_is_searched_has_an_event_of_its_own(database_url: str) -> None:
    """The index follows the events: a version without one would never get there."""
    scope = await make_tenant(database_url)
    async with engine(database_url) as instance:
        await populate(instance, scope, random.Random(7), 60)
    async with connected(database_url) as connection:
        versions = await read_versions(connection, scope)
        told = {(event.object_id, event.version) for event in await read_events(connection, scope)}
    written = {
        (versioned.object.id, versioned.version)
        for versioned in versions
        if isinstance(versioned.object, Customer | PaymentIntent | Charge)
    }
    assert written
    assert written <= told


async def test_who_searches_far_behind_the_index_carries_it_on(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "search_tail_max", 4)
    monkeypatch.setattr(limits, "search_batch_events", 3)
    scope = await make_tenant(database_url)
    async with engine(database_url) as instance:
        made = [(await instance.do(CreateCustomer(fields={"name": "Ada"}), scope)).id for _ in range(12)]
        monkeypatch.setattr(limits, "search_batches_max", 2)
        with pytest.raises(Overloaded):
            await searched(instance, scope, "name:'ada'", "cus", Page(limit=100))
        # What the first one did is not done again: the second one comes to the end of it.
        assert await searched(instance, scope, "name:'ada'", "cus", Page(limit=100)) == made[::-1]
        async with connected(database_url) as connection:
            assert await connection.fetchval("select count(*) from search_entry") == 9
            assert await connection.fetchval("select sequence from search_progress") == 9


async def test_a_query_that_takes_too_much_is_refused(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("recent_entries", 2), ("step_entries", 3), ("examined_max", 6)):
        monkeypatch.setattr(limits, f"search_{name}", value)
    scope = await make_tenant(database_url)
    page = Page(limit=3)
    async with engine(database_url) as instance:
        for _ in range(10):
            await instance.do(CreateCustomer(fields={"name": "Ada", "email": "a@example.com"}), scope)
        while await instance.reads.search_index.advance(scope):
            pass
        assert len(await searched(instance, scope, "-name:'bob'", "cus", page)) == 4
        assert await searched(instance, scope, "name:'bob' AND -email:null", "cus", page) == []
        for text in ("-name~'ada'", "-name:'ada'", "name:'bob' OR -name:'ada'"):
            with pytest.raises(InvalidRequest) as refused:
                await searched(instance, scope, text, "cus", page)
            assert (refused.value.code, refused.value.param) == ("search_query_too_expensive", "query")
        # What the index cannot tell is read, but no more than this.
        monkeypatch.setattr(limits, "search_candidates_max", 4)
        monkeypatch.setattr(limits, "search_examined_max", 100)
        assert await searched(instance, scope, "-name:'bob'", "cus", Page(limit=100))
        with pytest.raises(InvalidRequest):
            await searched(instance, scope, "-name~'ada'", "cus", page)
        # Nothing is looked at that was not made in the time that is asked about.
        for time in ("created<5", "created>99999999999", "-created>=5", "created:7"):
            assert await searched(instance, scope, f"-name~'ada' {time}", "cus", page) == []
        # A connection that was refused in the middle of a search serves the next one.
        assert len(await searched(instance, scope, "name:'ada'", "cus", page)) == 4


async def test_a_search_that_the_database_gives_up_on_is_refused_as_well(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    scope = await make_tenant(database_url)
    async with engine(database_url) as instance, connected(database_url) as blocker:
        monkeypatch.setattr("fastpay.store.search._SETTINGS", "set local statement_timeout = 50")
        async with blocker.transaction():
            await blocker.execute("lock table search_entry in access exclusive mode")
            with pytest.raises(InvalidRequest) as refused:
                await searched(instance, scope, "name:'ada'", "cus", Page(limit=1))
        assert refused.value.code == "search_query_too_expensive"
        assert await searched(instance, scope, "name:'ada'", "cus", Page(limit=1)) == []


async def test_two_that_carry_the_index_on_take_turns(database_url: str) -> None:
    scope = await make_tenant(database_url)
    async with engine(database_url) as one, engine(database_url) as other:
        made: list[Any] = [await one.do(CreateCustomer(fields={"name": "Ada"}), scope) for _ in range(3)]
        async with one.pool.lend() as connection:
            async with connection.transaction():
                await connection.execute("insert into search_progress values ($1, $2, 2)", *scope)
                waiting = asyncio.create_task(other.reads.search_index.advance(scope))
                while not await connection.fetchval("select count(*) from pg_locks where not granted"):  # noqa: ASYNC110
                    await asyncio.sleep(0.005)
                assert not waiting.done()
            assert await waiting == 1
            assert await connection.fetchval("select count(*) from search_entry") == 1
        assert len(made) == 3


async def test_the_index_is_done_where_the_last_of_a_sequence_has_no_events(database_url: str) -> None:
    scope = await make_tenant(database_url)
    async with engine(database_url) as instance, connected(database_url) as connection:
        index = instance.reads.search_index
        await instance.do(CreateCustomer(fields={"name": "Ada"}), scope)
        await connection.execute(
            "update book set sequence = 9 where (tenant_id, livemode) = ($1, $2)", *scope
        )
        assert [(backlog.scope, backlog.behind) for backlog in await index.list_backlogs(10)] == [(scope, 9)]
        assert await index.advance(scope) == 1
        assert await index.list_backlogs(10) == []
