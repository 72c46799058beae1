"""Pages of events against the same done by hand, however many events between them clients do not see."""

import itertools
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec.structs import replace

from fastpay import limits
from fastpay.domain import events
from fastpay.domain.customers import CreateCustomer
from fastpay.domain.identifiers import HIGHEST, LOWEST, Scope
from fastpay.domain.payment_intents import CreatePaymentIntent, UpdatePaymentIntent
from fastpay.domain.webhook_endpoints import CreateEndpoint, DeleteEndpoint
from fastpay.engine.event_ports import EventPage, Occurrence
from fastpay.store import event_rows
from fastpay.store.events import PostgresEvents
from fastpay.store.postgres import DatabaseSettings, connect
from fastpay.store.statements import SQL
from tests.store.touching import make_case, prepare, touch
from tests.support.engine import Engine, engine, make_tenant
from tests.support.world import card

ABOVE_ALL = 1 << 48
EVER = (datetime(1970, 1, 1, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC))
PAID = 40


async def live(instance: Engine, scope: Scope) -> None:
    """Make seen and unseen events take turns: of the sequence 1 to 14 only 1, 2, 6, 7, 13 and 14 are seen."""
    await instance.do(CreateCustomer(fields={}), scope)
    intent = await instance.do(CreatePaymentIntent(amount=5, currency="usd", secret="s"), scope)
    for _ in range(3):
        await instance.do(UpdatePaymentIntent(id=intent.id, fields={"description": "x"}), scope)
    await instance.do(CreatePaymentIntent(amount=5, currency="usd", secret="s"), scope)
    await instance.do(CreateCustomer(fields={}), scope)
    for _ in range(5):
        await instance.do(UpdatePaymentIntent(id=intent.id, fields={"description": "x"}), scope)
    await instance.do(CreateCustomer(fields={}), scope)
    await instance.do(CreatePaymentIntent(amount=5, currency="usd", secret="s"), scope)


def sequences(found: Sequence[Occurrence]) -> list[int]:
    return [one.event.sequence for one in found]


def expected(seen: Sequence[int], page: EventPage) -> list[int]:
    """Do by hand what the statements do."""
    between = [number for number in seen if page.above < number < page.below]
    return between[: page.limit + 1][::-1] if page.ascending else between[::-1][: page.limit + 1]


async def test_every_page_is_what_it_would_be_by_hand(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    scope = await make_tenant(database_url)
    seen = [1, 2, 6, 7, 13, 14]
    kinds = (events.TYPES, seen), (frozenset(("payment_intent.created",)), [2, 6, 14])
    async with engine(database_url) as instance:
        await live(instance, scope)
        store = PostgresEvents(instance.reads)
        cases = itertools.product(
            (1, 2, 10_000), kinds, (1, 3, 10), (False, True), (ABOVE_ALL, 14, 7), (0, 2, 8)
        )
        for examined, (types, numbers), limit, ascending, below, above in cases:
            monkeypatch.setattr(limits, "event_numbers_examined_max", examined)
            page = EventPage(limit=limit, below=below, above=above, types=types, ascending=ascending)
            read = await store.list(scope, page)
            assert read.is_complete, (examined, page)
            assert sequences(read.found) == expected(numbers, page), (examined, page)


async def test_a_page_gives_up_among_events_that_nobody_sees(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    scope = await make_tenant(database_url)
    monkeypatch.setattr(limits, "event_numbers_examined_max", 2)
    monkeypatch.setattr(limits, "event_scans_max", 2)
    async with engine(database_url) as instance:
        await live(instance, scope)
        store = PostgresEvents(instance.reads)
        newest = await store.list(scope, EventPage(limit=10, below=ABOVE_ALL, above=0, types=events.TYPES))
        assert (sequences(newest.found), newest.is_complete) == ([14, 13], False)
        page = EventPage(limit=10, below=ABOVE_ALL, above=7, types=events.TYPES, ascending=True)
        upwards = await store.list(scope, page)
        assert (sequences(upwards.found), upwards.is_complete) == ([], False)
        # Rare types have an index, and need no search.
        rare = EventPage(limit=10, below=ABOVE_ALL, above=0, types=frozenset(("customer.created",)))
        assert sequences((await store.list(scope, rare)).found) == [13, 7, 1]


async def test_times_out_of_order_hide_no_event(database_url: str) -> None:
    """A command may be written after one that came later, by as long as commands may wait."""
    scope = await make_tenant(database_url)
    offsets_s = [0, 100, 20, 119, 3, 118, 60, 119, 1, 110]
    async with engine(database_url) as instance:
        submissions = [instance.submission(CreateCustomer(fields={}), scope) for _ in offsets_s]
        begin_ms = submissions[0].moment_ms // 1000 * 1000 - limits.creation_ms_max + 1_000
        moments_s = [begin_ms // 1000 + offset for offset in offsets_s]
        for submission, moment_s in zip(submissions, moments_s, strict=True):
            await instance.writer.submit(replace(submission, moment_ms=moment_s * 1000))
        store = PostgresEvents(instance.reads)
        bounds = [None, *(begin_ms // 1000 + second for second in (-1, 0, 2, 20, 61, 119, 120, 300))]
        for since_s, until_s, ascending in itertools.product(bounds, bounds, (False, True)):
            page = EventPage(
                limit=100,
                below=ABOVE_ALL,
                above=0,
                types=events.TYPES,
                ascending=ascending,
                since_s=since_s,
                until_s=until_s,
            )
            wanted = [
                number
                for number, moment_s in enumerate(moments_s, 1)
                if (since_s is None or moment_s >= since_s) and (until_s is None or moment_s < until_s)
            ]
            assert sequences((await store.list(scope, page)).found) == wanted[::-1], page


async def test_endpoints_are_looked_at_only_where_there_are_some(database_url: str) -> None:
    scope = await make_tenant(database_url)
    asked: list[str] = []
    names = {SQL[name]: name for name in SQL if name.startswith("list_events_")}
    page = EventPage(limit=10, below=ABOVE_ALL, above=0, types=events.TYPES, counts_pending=True)
    async with engine(database_url) as instance:
        await live(instance, scope)
        reads, fetch = instance.reads, instance.reads.fetch_for

        async def noting(scope: Scope, statement: str, *arguments: Any, scans: bool = False) -> Any:
            asked.append(names[statement])
            return await fetch(scope, statement, *arguments, scans=scans)

        reads.fetch_for = noting  # type: ignore[method-assign]
        store = PostgresEvents(reads)

        async def pending() -> set[int]:
            asked.clear()
            return {one.event.pending_webhooks for one in (await store.list(scope, page)).found}

        assert (await pending(), asked) == ({0}, ["list_events_with_endpoints_down"])
        assert (await pending(), asked) == ({0}, ["list_events_down"])
        fields = {"url": "https://hooks.example", "enabled_events": ("*",)}
        made = await instance.do(CreateEndpoint(salt="s", fields=fields, start_after_sequence=0), scope)
        assert (await pending(), asked) == ({1}, ["list_events_down", "list_events_with_endpoints_down"])
        assert (await pending(), asked) == ({1}, ["list_events_with_endpoints_down"])
        await instance.do(DeleteEndpoint(id=made.id), scope)
        assert (await pending(), asked) == ({0}, ["list_events_with_endpoints_down"])
        assert (await pending(), asked) == ({0}, ["list_events_down"])


async def test_a_page_of_events_touches_what_a_page_of_charges_does(database_url: str) -> None:
    scope = await make_tenant(database_url)
    own = (scope.tenant_id, scope.livemode)
    paid = CreatePaymentIntent(
        amount=5, currency="usd", secret="s", payment_method=card("visa"), confirm=True
    )
    async with engine(database_url) as instance:
        for _ in range(PAID):
            await instance.do(paid, scope)
    of_charges = (*own, HIGHEST, LOWEST, False, PAID)
    of_events = (event_rows.WITH_PREVIOUS, False, *own, ABOVE_ALL, 0, PAID, event_rows.SEEN, *EVER, 10_000)
    connection = await connect(DatabaseSettings(url=database_url))
    try:
        touched = {}
        for name, arguments in (
            ("list_charges", of_charges),
            ("list_events_up", of_events),
            ("list_events_down", of_events),
        ):
            case = await make_case(connection, name, SQL[name], arguments)
            await prepare(connection, case)
            touched[name] = await touch(connection, case)
    finally:
        await connection.close()
    charges = touched.pop("list_charges")
    assert charges.rows == PAID
    for found in touched.values():
        # The book's row, and a table more to begin with.
        assert found.rows == PAID + 1
        assert found.buffers <= charges.buffers + 16
        assert found.entries <= charges.entries + 4
