"""A transaction that stays open for long does not make deliveries dearer: nothing goes through dead rows."""

import statistics
from types import SimpleNamespace
from typing import Any, cast

import pytest

from fastpay import limits
from fastpay.domain import events
from fastpay.domain.identifiers import Scope, digits
from fastpay.domain.webhook_endpoints import CreateEndpoint, WebhookEndpoint
from fastpay.engine.relay.channel import Channel
from fastpay.engine.relay.lease_ports import Lease, Record
from fastpay.engine.relay.ports import EndpointConfiguration
from fastpay.engine.relay.progress import Logged
from fastpay.engine.relay.shared import Shared
from fastpay.engine.relay.slots import Slots
from fastpay.store.connections import connected
from fastpay.store.events import _EARLIEST, _LATEST
from fastpay.store.relay import PostgresDeliveries, PostgresLeases
from fastpay.store.statements import SQL
from tests.relay.instances import CLOCK, cursor, instance, is_delivered, until
from tests.store.touching import counters
from tests.support.engine import engine, make_tenant
from tests.support.receiver import Receiver

ROUNDS, EVENTS = 8, 20
# How often an instance beats and stores a position before the first look, and before the last one.
FEW, MANY = 50, 400
ENDPOINTS = 3
# Deliveries that wait for another attempt, and after how many changes they are written anew.
PARKED, GENERATION = 10, 60


async def touched(connection: Any, name: str, *arguments: Any) -> int:
    """Return how many buffers a statement touches and how many entries of indexes it reads, and undo it."""
    transaction = connection.transaction()
    await transaction.start()
    try:
        before = await counters(connection)
        await connection.fetch(SQL[name], *arguments)
        after = await counters(connection)
    finally:
        await transaction.rollback()
    return after[0] + after[1] - before[0] - before[1]


async def open_snapshot(connection: Any) -> None:
    """Open a transaction that sees everything as it is now."""
    await connection.execute("begin isolation level repeatable read")
    await connection.fetch("select count(*) from event")


async def test_events_are_read_for_the_same_while_one_old_snapshot_is_open(
    database_url: str, receiver: Receiver
) -> None:
    """A queue of rows would read more and more dead ones. The log has none."""
    scope = await make_tenant(database_url)
    counts: list[int] = []
    async with (
        instance(database_url) as one,
        connected(database_url) as old,
        connected(database_url) as reading,
    ):
        endpoint = await one.endpoint(scope, f"{receiver.url}/snapshot", "customer.*")
        await open_snapshot(old)
        for _ in range(ROUNDS):
            before = (await cursor(database_url, endpoint))["last"]
            await one.make_events(scope, EVENTS)
            await until(lambda: is_delivered(database_url, endpoint))
            below, types = before + limits.event_numbers_examined_max, sorted(events.TYPES)
            bounds = (_EARLIEST, _LATEST, limits.event_numbers_examined_max)
            arguments: tuple[Any, ...] = ([], False, *scope, below, before, EVENTS, types, *bounds)
            counts.append(await touched(reading, "list_events_up", *arguments))
        await old.execute("commit")
        (row,) = await reading.fetch("select n_dead_tup from pg_stat_user_tables where relname = 'event'")
        assert row["n_dead_tup"] == 0
    half = ROUNDS // 2
    assert statistics.median(counts[half:]) <= 1.25 * statistics.median(counts[:half])
    assert len(receiver.acknowledged("snapshot")) == ROUNDS * EVENTS


async def test_beats_and_positions_cost_the_same_while_one_old_snapshot_is_open(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What they replace stays in the tables, and no statement of the relay goes through it."""
    # As few beats as in a real lease, though these come one after another.
    monkeypatch.setattr(limits, "relay_lease_ms", 100)
    scope, own = await make_tenant(database_url), "a" * 32
    async with (
        engine(database_url) as made,
        connected(database_url) as old,
        # Planned as an instance has it.
        made.pool.lend() as reading,
    ):
        store = PostgresLeases(made.pool)
        for number in range(ENDPOINTS):
            fields = {"url": f"http://127.0.0.1:9/{number}", "enabled_events": ("*",)}
            await made.do(CreateEndpoint(salt="5a" * 16, fields=fields), scope)
        leases = await store.claim(own, ENDPOINTS)
        assert len(leases) == ENDPOINTS
        await open_snapshot(old)
        position = 0

        async def work(times: int) -> dict[str, int]:
            """Beat and store positions so often, and return what each statement touches after that."""
            nonlocal position
            for _ in range(times):
                position += 1
                await store.beat(own)
                records = [_record(lease, position) for lease in leases]
                assert len(await store.record(own, records, [])) == ENDPOINTS
            return {
                name: await touched(reading, name, *arguments)
                for name, arguments in _arguments(scope, own, leases[0], position).items()
            }

        first, last = await work(FEW), await work(MANY)
        await old.execute("commit")
    # Some are a little deeper in their indexes by then. Through dead rows it would be eight times as much.
    assert {name: count for name, count in last.items() if count > 2 * first[name] + 4} == {}, (first, last)


async def test_retries_cost_the_same_while_one_old_snapshot_is_open(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The exceptions are written anew before many dead ones gather, and the next holder finds all of them."""
    monkeypatch.setattr(limits, "relay_generation_changes_max", GENERATION)
    scope, own, other = await make_tenant(database_url), "a" * 32, "b" * 32
    async with (
        engine(database_url) as made,
        connected(database_url) as old,
        made.pool.lend() as reading,
    ):
        store = PostgresLeases(made.pool)
        fields = {"url": "http://127.0.0.1:9/", "enabled_events": ("*",)}
        endpoint = await made.do(CreateEndpoint(salt="5a" * 16, fields=fields), scope)
        assert isinstance(endpoint, WebhookEndpoint)
        (lease,) = await store.claim(own, 1)
        failing = Failing(lease, EndpointConfiguration(scope=scope, endpoint=endpoint, version=1, secrets=()))
        await open_snapshot(old)

        async def work(rounds: int) -> dict[str, int]:
            """Let deliveries fail and succeed so often, to the middle of a generation."""
            while rounds > 0 or not GENERATION // 2 < failing.record().changes < GENERATION // 2 + 4:
                rounds -= 1
                assert rounds > -2 * GENERATION, "no generation begins"
                failing.work()
                record = failing.record()
                assert await store.record(own, [record], []) == {(lease.name, lease.fence)}
                failing.progress.changed = {}
                failing.recorded(record)
            record = failing.record()
            column = ([scope.tenant_id], [scope.livemode], [digits(endpoint.id)])
            stored = ([record.generation], [record.changes], [record.delivered_through])
            moved = ([lease.fence], [record.position], [0], [0], [None], [0], ["0" * 32], [0], [1], *stored)
            parked = next(iter(failing.progress.parked))
            kept = ([1], [parked], [0], ["0" * 32], [9], [0])
            return {
                name: await touched(reading, name, *arguments)
                for name, arguments in {
                    "relay_exceptions": (*column, [record.generation]),
                    "relay_pending": (*scope, record.position, 0),
                    "relay_record": (
                        own,
                        *column,
                        *moved,
                        [1],
                        [parked + 1],
                        *kept,
                        *([] for _ in range(12)),
                    ),
                    "relay_states": (*scope, [digits(endpoint.id)]),
                    "relay_survey": (1, limits.relay_circuit_failures),
                }.items()
            }

        first, last = await work(FEW), await work(MANY)
        await old.execute("commit")
        await store.release(own, [lease.name])
        (taken,) = await store.claim(other, 1)
        state = await PostgresDeliveries(made.reads).states(scope, [endpoint.id])
    # Some are a little deeper in their indexes by then. Through dead rows it would be eight times as much.
    assert {name: count for name, count in last.items() if count > 2 * first[name] + 4} == {}, (first, last)
    parked = failing.progress.parked
    assert [(one.sequence, one.attempts) for one in taken.parked] == [
        (sequence, parked[sequence].attempts) for sequence in sorted(parked)
    ]
    assert state[endpoint.id].delivered_through == failing.progress.delivered_through == min(parked) - 1


class Failing(Channel):
    """An endpoint whose deliveries fail at first."""

    def __init__(self, lease: Lease, configuration: EndpointConfiguration) -> None:
        shared = SimpleNamespace(
            clock=CLOCK, find_replay=None, log=None, spare=None, peak=None, slots=Slots(), recorder=None
        )
        super().__init__(cast("Shared", shared), lease, configuration)
        self._number = 0

    def work(self) -> None:
        """Have one event fail, the oldest but one that failed fail again, and one be acknowledged."""
        self._number += 1
        logged = Logged(self._number, f"evt_{self._number:032x}", "customer.created", "1" * 32, b"{}")
        self.progress.offer([logged], self._number)
        entry = self.progress.take(1, first_max=1, retries_max=0)
        assert entry is not None
        self.progress.fail(entry, 0)
        if self._number > PARKED:
            for fails in (True, False):
                entry = self.progress.take(1, first_max=0, retries_max=1)
                assert entry is not None
                (self.progress.fail(entry, 1) if fails else self.progress.acknowledge(entry))


def _arguments(scope: Scope, own: str, lease: Lease, position: int) -> dict[str, tuple[Any, ...]]:
    """Return what each statement of the relay is asked all the time, but those about exceptions."""
    endpoint = digits(lease.name.endpoint_id)
    column = ([scope.tenant_id], [scope.livemode], [endpoint])
    # However busy the machine is, no beat is as young as this.
    lease_ms = 1
    moved = ([lease.fence], [position + 1], [0], [0], [None], [0], ["0" * 32], [0], [1], [0], [0], [position])
    return {
        "relay_beat": (own, lease_ms),
        "relay_claim": (own, lease_ms, 10),
        "relay_held": (own,),
        "relay_pending": (*scope, position, 0),
        "relay_positions": column,
        "relay_record": (own, *column, *moved, *([] for _ in range(20))),
        "relay_states": (*scope, [endpoint]),
        "relay_survey": (lease_ms, limits.relay_circuit_failures),
        "relay_watch": (own,),
    }


def _record(lease: Lease, position: int) -> Record:
    return Record(
        name=lease.name,
        fence=lease.fence,
        position=position,
        previous=0,
        failures=0,
        failing_since_ms=None,
        resume_ms=0,
        replayed="0" * 32,
        replayed_through=0,
        version=1,
        generation=0,
        changes=0,
        delivered_through=position,
        removed=[],
        kept=[],
    )
