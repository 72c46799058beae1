"""What one tenant's command needs is loaded beside the batches of others, and in the tenant's own order."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import msgspec
import pytest

from fastpay import limits
from fastpay.domain.customers import CreateCustomer
from fastpay.domain.refunds import CreateRefund
from fastpay.engine.failures import TransientFailure
from fastpay.engine.ports import Outcome, Submission
from fastpay.engine.write.writer import Writer
from fastpay.errors import DatabaseUnavailable, DeadlineExceeded
from tests.support.memory import OTHER_TENANT, TENANT, MemoryStore, MemoryTransaction, check_books, submission
from tests.support.servers import PATIENCE_SECONDS
from tests.support.world import PAY
from tests.unit.engine.write.test_writer import created, running
from tests.unit.engine.write.test_writer_ahead import JOIN, start, turns


@asynccontextmanager
async def held_up(
    store: MemoryStore, submitted: Submission
) -> AsyncIterator[tuple[Writer, "asyncio.Task[Outcome]"]]:
    """Run a writer that knows the first tenant and has begun a load for this submission, held up."""
    async with running(store) as writer:
        await writer.submit(submission(JOIN))
        store.loads_gate.clear()
        waiting = start(writer, submitted)
        await turns()
        yield writer, waiting


async def test_a_command_that_waits_for_a_load_holds_up_no_other_tenant() -> None:
    store = MemoryStore()
    async with held_up(store, submission(JOIN, scope=OTHER_TENANT)) as (writer, newcomer):
        for _ in range(3):
            await writer.submit(submission(JOIN))
        assert not newcomer.done()
        store.loads_gate.set()
        await newcomer
        assert store.sizes == [1, 1, 1, 1, 1]
    check_books(store)


async def test_later_commands_of_the_tenant_wait_as_well_and_keep_their_order() -> None:
    store = MemoryStore()
    async with running(store) as writer:
        intent = created(await writer.submit(submission(PAY)))
    async with held_up(store, submission(CreateRefund(payment_intent=intent))) as (writer, refund):
        names = [f"customer {number}" for number in range(limits.decided_at_once_max + 10)]
        later = [start(writer, submission(CreateCustomer(fields={"name": name}))) for name in names]
        await turns()
        done, aside = [task.done() for task in later], len(writer.loop.pipeline.aside)
        store.loads_gate.set()
        sequences = [(await task).answer.sequence for task in (refund, *later)]
        assert not any(done)
        # The rest stayed in the queue.
        assert aside == limits.decided_at_once_max
        assert sequences == sorted(sequences)
    check_books(store)


async def test_what_waits_for_one_load_is_loaded_by_the_next_together() -> None:
    store = MemoryStore()
    async with running(store) as writer:
        store.loads_gate.clear()
        first = start(writer, submission(JOIN))
        await turns()
        others = [start(writer, submission(JOIN, scope=OTHER_TENANT, key=f"{number}")) for number in range(9)]
        await turns()
        assert store.loads == 1
        store.loads_gate.set()
        await asyncio.gather(first, *others)
        assert store.loads == 2
    check_books(store)


async def test_a_load_that_was_begun_before_a_conflict_decides_nothing() -> None:
    store = MemoryStore()
    async with held_up(store, submission(PAY, scope=OTHER_TENANT)) as (writer, newcomer):
        # Another instance writes for the first tenant, whose next command voids everything that is decided.
        [book] = [book for scope, book in store.state.books.items() if scope != OTHER_TENANT]
        store.state.books[book.scope] = msgspec.structs.replace(book, sequence=book.sequence + 7)
        await writer.submit(submission(JOIN))
        async with asyncio.timeout(PATIENCE_SECONDS):
            await newcomer
        store.loads_gate.set()
        await turns()
        await writer.submit(submission(JOIN))
    assert len([scope for scope, _ in store.state.versions if scope == OTHER_TENANT]) == 3


async def test_a_writer_that_closes_carries_out_what_waits_for_a_load() -> None:
    store = MemoryStore()
    async with running(store) as writer:
        store.loads_gate.clear()
        waiting = [start(writer, submission(JOIN)), start(writer, submission(JOIN, scope=OTHER_TENANT))]
        await turns()
        closing = asyncio.create_task(writer.close())
        await turns()
        assert not closing.done()
        store.loads_gate.set()
        await closing
        assert all(task.done() for task in waiting)
        await asyncio.gather(*waiting)
    check_books(store)


@pytest.mark.parametrize("fault", ["unreachable", "late"])
async def test_what_cannot_be_loaded_is_refused_and_no_other_tenant_notices(fault: str) -> None:
    store = MemoryStore()
    async with running(store) as writer:
        await writer.submit(submission(JOIN))
        store.loads_gate.clear()
        if fault == "unreachable":
            store.unreachable = [TransientFailure("08000")] * limits.commit_attempts_max
            newcomer = start(writer, submission(JOIN, scope=OTHER_TENANT))
        else:
            deadline_ns = writer._clock.monotonic_ns() + 1_000_000
            command = msgspec.structs.replace(submission(JOIN, scope=OTHER_TENANT), deadline_ns=deadline_ns)
            newcomer = start(writer, command)
        await turns()
        await writer.submit(submission(JOIN))
        await asyncio.sleep(0.002)
        store.loads_gate.set()
        with pytest.raises(DatabaseUnavailable if fault == "unreachable" else DeadlineExceeded):
            await newcomer
        await writer.submit(submission(JOIN, scope=OTHER_TENANT))
    check_books(store)


async def test_nothing_is_forgotten_while_something_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    store = MemoryStore()
    async with held_up(store, submission(JOIN, scope=OTHER_TENANT)) as (writer, newcomer):
        held = writer.loop._decider.working_set
        monkeypatch.setattr(limits, "working_set_entries_max", 1)
        held._uncounted = 0
        waiting = start(writer, submission(JOIN))
        await turns()
        assert (len(held.workspaces), waiting.done()) == (1, False)
        store.loads_gate.set()
        await asyncio.gather(newcomer, waiting)
    check_books(store)


async def test_loads_that_take_any_time_change_no_outcome(monkeypatch: pytest.MonkeyPatch) -> None:
    chance = random.Random(5)
    store = MemoryStore()
    loading = store.loading

    def slow() -> AbstractAsyncContextManager[MemoryTransaction]:
        store.loads_gate.clear()
        asyncio.get_running_loop().call_later(chance.uniform(0, 0.003), store.loads_gate.set)
        return loading()

    monkeypatch.setattr(store, "loading", slow)
    async with running(store, batch_commands_max=7) as writer:

        async def live(client: int) -> None:
            scope = OTHER_TENANT if client % 2 else TENANT
            for number in range(12):
                key = f"{client} {number}"
                paid = created(await writer.submit(submission(PAY, key=key, scope=scope)))
                refund = await writer.submit(submission(CreateRefund(payment_intent=paid), scope=scope))
                assert refund.answer.error is None
                again = await writer.submit(submission(PAY, key=key, scope=scope))
                assert created(again) == paid
                writer.loop._decider.working_set.shrink()

        await asyncio.gather(*(live(client) for client in range(6)))
    check_books(store)
