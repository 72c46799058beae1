"""Tenants whose book somebody else holds: parked, served by the lanes, and no burden to others."""

import asyncio
import random

import msgspec
import pytest

from fastpay import limits
from fastpay.clock import SystemClock
from fastpay.domain.customers import CreateCustomer, UpdateCustomer
from fastpay.domain.identifiers import Scope
from fastpay.domain.objects import Customer
from fastpay.engine.failures import TransientFailure, UnknownOutcome
from fastpay.engine.ports import Outcome
from fastpay.engine.write.batch import ParkedBatch
from fastpay.engine.write.writer import Writer
from fastpay.errors import DatabaseUnavailable, DeadlineExceeded, OutcomeUnknown, WriterStopped
from tests.support.commands import Unwritable
from tests.support.memory import OTHER_TENANT, TENANT, MemoryStore, check_books, submission
from tests.support.world import PAY
from tests.unit.engine.write.test_writer import created, names_the_unwritable, running
from tests.unit.engine.write.test_writer_ahead import start, turns
from tests.unit.engine.write.test_writer_steps import faulty

JOIN = CreateCustomer(fields={"name": "Ada"})
THIRD_TENANT = TENANT._replace(livemode=True)


async def park(writer: Writer) -> None:
    """Wait until a tenant is parked."""
    while not writer._queue.has_parked:  # noqa: ASYNC110  nobody tells
        await asyncio.sleep(0)


def note_waits(writer: Writer, waited: list[Scope | None], monkeypatch: pytest.MonkeyPatch) -> None:
    """Note each tenant whose book is waited for."""
    begin_wait = writer.loop.lanes._line.begin_wait

    def noted() -> Scope | None:
        waited.append(begin_wait())
        return waited[-1]

    monkeypatch.setattr(writer.loop.lanes._line, "begin_wait", noted)


async def test_a_book_that_is_held_delays_its_own_tenant_only() -> None:
    store = MemoryStore()
    store.held = {TENANT}
    async with running(store) as writer:
        parked = start(writer, submission(PAY, key="k"))
        # In one batch with the parked one, and in later ones: ahead, under the lock, and ahead again.
        for _ in range(limits.locked_batches + 5):
            outcomes = await asyncio.gather(
                *(writer.submit(submission(PAY, scope=OTHER_TENANT)) for _ in range(3))
            )
            assert [outcome.answer.error for outcome in outcomes] == [None, None, None]
        assert writer.loop.pipeline.locked_left == 0
        assert not parked.done()
        assert store.state.books[TENANT].sequence == 0
        store.held.clear()
        assert (await parked).answer.error is None
        again = await writer.submit(submission(PAY, key="k"))
        assert again.original_request_id is not None
    check_books(store)


async def test_commands_of_a_parked_tenant_keep_their_order_through_every_stage() -> None:
    store = MemoryStore()
    async with running(store, batch_commands_max=2) as writer:
        customer = created(await writer.submit(submission(JOIN)))
        names = [f"name {number}" for number in range(9)]
        store.gate.clear()
        renames = []
        for name in names[:6]:
            # At the database, decided on top of it, and in the queue.
            renames.append(start(writer, submission(UpdateCustomer(id=customer, fields={"name": name}))))
            await turns()
        store.held = {TENANT}
        store.gate.set()
        await park(writer)
        for name in names[6:]:
            renames.append(start(writer, submission(UpdateCustomer(id=customer, fields={"name": name}))))
            await turns()
        assert not [rename for rename in renames if rename.done()]
        store.held.clear()
        await asyncio.gather(*renames)
    versions = [one.object for _, one in store.state.versions if isinstance(one.object, Customer)]
    assert [one.name for one in versions] == ["Ada", *names]
    check_books(store)


async def test_a_lane_takes_what_came_while_it_waited() -> None:
    store = MemoryStore()
    store.held = {TENANT}
    async with running(store) as writer:
        waiting = [start(writer, submission(JOIN))]
        await park(writer)
        waiting += [start(writer, submission(JOIN)) for _ in range(5)]
        await turns()
        store.held.clear()
        await asyncio.gather(*waiting)
        assert store.sizes[-1] == 6
        # And it is served as others are from then on.
        await writer.submit(submission(JOIN))
        assert not writer._queue.has_parked
    check_books(store)


async def test_what_is_parked_past_its_deadline_is_refused_and_never_written(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "begin_timeout_ms", 50)
    monkeypatch.setattr(limits, "deadline_check_ms", 5)
    monkeypatch.setattr(limits, "book_wait_ms", 20)
    store = MemoryStore()
    store.held = {TENANT}
    async with running(store) as writer:
        parked = start(writer, submission(PAY, key="k"))
        await park(writer)
        own = msgspec.structs.replace(submission(PAY), deadline_ns=SystemClock().monotonic_ns() + 1)
        short = start(writer, own)
        with pytest.raises(DeadlineExceeded):
            await short
        with pytest.raises(DatabaseUnavailable, match="Nothing was changed"):
            await parked
        while writer._queue.has_parked:  # noqa: ASYNC110  nobody tells
            await asyncio.sleep(0.001)
        assert (store.state.events, store.state.idempotency) == ([], {})
        monkeypatch.undo()
        store.held.clear()
        # Nothing is left behind: the key is new, and the writer serves the tenant itself.
        assert (await writer.submit(submission(PAY, key="k"))).original_request_id is None
    assert store.state.books[TENANT].sequence == 3
    check_books(store)


async def test_what_expires_while_its_lane_gets_the_book_is_not_begun(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Nobody looks after deadlines but the lane.
    monkeypatch.setattr(limits, "deadline_check_ms", 3_600_000)
    monkeypatch.setattr(limits, "begin_timeout_ms", 30)
    store = MemoryStore()
    store.held = {TENANT}
    async with running(store) as writer:
        parked = start(writer, submission(PAY, key="k"))
        await park(writer)
        await asyncio.sleep(0.04)
        store.held.clear()
        with pytest.raises(DatabaseUnavailable):
            await parked
    assert store.state.events == []


async def test_tenants_that_wait_for_long_do_not_keep_others_from_their_turn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "book_wait_ms", 3_600_000)
    monkeypatch.setattr(limits, "book_waits", 1)
    store = MemoryStore(TENANT, OTHER_TENANT, THIRD_TENANT)
    store.held = {TENANT, OTHER_TENANT}
    async with running(store) as writer:
        first = start(writer, submission(JOIN))
        await park(writer)
        # The only lane that waits has begun to wait, for the first one.
        second = start(writer, submission(JOIN, scope=OTHER_TENANT))
        while OTHER_TENANT not in writer._queue:  # noqa: ASYNC110  nobody tells
            await asyncio.sleep(0)
        await writer.submit(submission(JOIN, scope=THIRD_TENANT))
        store.held.discard(OTHER_TENANT)
        await second
        assert not first.done()
        store.held.clear()
        await first
    check_books(store)


async def test_every_parked_tenant_gets_to_wait_in_the_databases_own_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "book_wait_ms", 2)
    waited: list[Scope | None] = []
    scopes = [TENANT._replace(tenant_id=letter * 32) for letter in "abcdef"]
    store = MemoryStore(*scopes)
    store.held = {*scopes}
    async with running(store) as writer:
        note_waits(writer, waited, monkeypatch)
        parked = [start(writer, submission(JOIN, scope=scope)) for scope in scopes]
        while len(waited) < 10 * len(scopes):  # noqa: ASYNC110  nobody tells
            await asyncio.sleep(0.001)
        assert store.waits >= len(scopes)
        assert {waited.count(scope) >= 2 for scope in scopes} == {True}
        store.held.clear()
        await asyncio.gather(*parked)
    check_books(store)


async def test_a_lane_that_got_its_book_takes_the_other_free_ones_along(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Without the sweep, and with one tenant at a time that is waited for.
    monkeypatch.setattr(limits, "commit_backoff_ms", 100_000)
    monkeypatch.setattr(limits, "commit_backoff_max_ms", 100_000)
    monkeypatch.setattr(limits, "book_waits", 1)
    monkeypatch.setattr(limits, "book_wait_ms", 3_600_000)
    scopes = [TENANT._replace(tenant_id=letter * 32) for letter in "abcde"]
    store = MemoryStore(*scopes)
    store.held = {*scopes}
    async with running(store) as writer:
        parked = [start(writer, submission(JOIN, scope=scope)) for scope in scopes]
        await park(writer)
        while len(writer.loop.lanes._line._waits) < len(scopes):  # noqa: ASYNC110  nobody tells
            await asyncio.sleep(0)
        store.held.clear()
        await asyncio.gather(*parked)
        assert store.sizes[-1] == len(scopes)
        for task in writer.loop.lanes._tasks.values():
            task.cancel()
    check_books(store)


@pytest.mark.usefixtures("pauses")
async def test_no_other_lane_overtakes_commands_whose_transaction_is_repeated() -> None:
    store = MemoryStore()
    async with running(store) as writer:
        customer = created(await writer.submit(submission(JOIN)))
        store.held = {TENANT}
        renames = [start(writer, submission(UpdateCustomer(id=customer, fields={"name": "first"})))]
        await park(writer)
        lanes = writer.loop.lanes
        begun = asyncio.Event()

        def fail_once(_: object) -> bool:
            # The first transaction has taken the first command. Another lane gets the book before its next.
            store.refuses = lambda _: False
            store.failures = [TransientFailure("57P01")]
            renames.append(start(writer, submission(UpdateCustomer(id=customer, fields={"name": "second"}))))
            begun.set()
            return False

        store.refuses = fail_once
        store.held.clear()
        await begun.wait()
        await asyncio.sleep(0)
        scopes = [TENANT]
        beside = ParkedBatch(scopes, lanes._take)
        assert beside.begin(frozenset()) == []
        await asyncio.gather(*renames)
    names = [one.object.name for _, one in store.state.versions if isinstance(one.object, Customer)]
    assert names == ["Ada", "first", "second"]
    check_books(store)


@pytest.mark.parametrize(("key", "answer"), [(None, OutcomeUnknown), ("k", DatabaseUnavailable)])
async def test_an_unknown_outcome_in_a_lane_is_said_to_be_unknown_and_never_tried_again(
    key: str | None, answer: type[Exception]
) -> None:
    store = MemoryStore()
    store.held = {TENANT}
    async with running(store) as writer:
        parked = start(writer, submission(PAY, key=key))
        await park(writer)
        store.lost = [UnknownOutcome()]
        store.held.clear()
        with pytest.raises(answer):
            await parked
        await writer.submit(submission(JOIN))
    assert store.state.books[TENANT].sequence == 4
    check_books(store)


@pytest.mark.usefixtures("pauses")
async def test_a_lane_whose_connection_fails_tries_again_and_writes_once() -> None:
    store = MemoryStore()
    store.held = {TENANT}
    async with running(store) as writer:
        parked = [start(writer, submission(JOIN)) for _ in range(3)]
        await park(writer)
        store.failures = [TransientFailure("57P01"), TransientFailure("40001", kind="contention")]
        store.held.clear()
        await asyncio.gather(*parked)
    assert store.state.books[TENANT].sequence == 3
    check_books(store)


async def test_what_the_database_refuses_of_a_parked_tenant_fails_alone() -> None:
    store = MemoryStore()
    store.refuses = names_the_unwritable
    store.held = {TENANT}
    async with running(store) as writer:
        commands = (PAY, Unwritable(), JOIN)
        parked = [start(writer, submission(command)) for command in commands]
        await park(writer)
        store.held.clear()
        results = await asyncio.gather(*parked, return_exceptions=True)
    assert [isinstance(result, Outcome) for result in results] == [True, False, True]
    check_books(store)


async def test_a_batch_that_is_taken_apart_leaves_out_who_is_held() -> None:
    store = MemoryStore()
    store.refuses = names_the_unwritable
    store.held = {OTHER_TENANT}
    async with running(store) as writer:
        results = [
            start(writer, submission(Unwritable())),
            start(writer, submission(JOIN)),
            start(writer, submission(JOIN, scope=OTHER_TENANT)),
        ]
        assert isinstance((await asyncio.gather(*results[:2], return_exceptions=True))[1], Outcome)
        assert not results[2].done()
        store.held.clear()
        assert (await results[2]).answer.error is None
    check_books(store)


async def test_closing_waits_for_parked_tenants() -> None:
    store = MemoryStore()
    store.held = {TENANT}
    writer = Writer(store, clock=SystemClock())
    writer.start()
    parked = start(writer, submission(JOIN))
    await park(writer)
    closing = asyncio.create_task(writer.close())
    await asyncio.sleep(0.01)
    assert not closing.done()
    store.held.clear()
    await closing
    assert (await parked).answer.error is None
    assert not writer.holds(TENANT)


async def test_a_tenant_is_with_its_writer_while_a_lane_serves_it() -> None:
    store = MemoryStore()
    store.held = {TENANT}
    async with running(store) as writer:
        parked = start(writer, submission(JOIN))
        await park(writer)
        assert writer.holds(TENANT)
        seen = []

        def look(_: object) -> bool:
            seen.append((TENANT in writer._queue, writer.holds(TENANT)))
            return False

        store.refuses = look
        store.held.clear()
        await parked
        # The lane had taken the command, and nothing else could have told.
        assert seen == [(False, True)]
        assert not writer.holds(TENANT)


async def test_a_lane_that_fails_by_our_own_fault_stops_the_writer_and_answers_everything(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store = MemoryStore()
    store.held = {TENANT}
    async with running(store) as writer:
        for committer in writer.loop.lanes._wait_committers:
            monkeypatch.setattr(committer, "commit", faulty)
        parked = start(writer, submission(PAY))
        with pytest.raises(WriterStopped):
            await parked
        with pytest.raises(WriterStopped):
            await writer.submit(submission(JOIN))


async def test_without_another_instance_no_lane_ever_runs() -> None:
    store = MemoryStore()
    async with running(store, batch_commands_max=3) as writer:
        for _ in range(20):
            await asyncio.gather(
                *(writer.submit(submission(PAY, scope=scope)) for scope in (TENANT, OTHER_TENANT))
            )
        assert writer.loop.lanes._tasks == {}
    check_books(store)


@pytest.mark.parametrize("seed", range(4))
async def test_books_that_come_and_go_lose_no_command_and_repeat_none(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "locked_batches", 1)
    monkeypatch.setattr(limits, "book_wait_ms", 3)
    chance = random.Random(seed)
    scopes = [TENANT, OTHER_TENANT, THIRD_TENANT]
    store = MemoryStore(*scopes)
    asked: dict[Scope, list[asyncio.Task[Outcome]]] = {scope: [] for scope in scopes}
    async with running(store, batch_commands_max=4) as one, running(store, batch_commands_max=3) as other:
        for number in range(120):
            store.held = {scope for scope in scopes if chance.random() < 0.4}
            scope = chance.choice(scopes)
            key = chance.choice((None, f"key {number % 7}"))
            asked[scope].append(start(chance.choice((one, other)), submission(JOIN, scope=scope, key=key)))
            await turns(chance.randint(0, 3))
            if chance.random() < 0.1:
                await asyncio.sleep(0.004)
        store.held.clear()
        for scope, tasks in asked.items():
            outcomes = await asyncio.gather(*tasks)
            effects = [one for one in outcomes if one.original_request_id is None]
            assert store.state.books[scope].sequence == len(effects)
            assert len({created(outcome) for outcome in outcomes}) == len(effects)
    check_books(store)
