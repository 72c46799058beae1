"""Deciding ahead: the next batch stands on one that is not committed yet, and falls with it."""

import asyncio
import random

import msgspec
import pytest

from fastpay import limits
from fastpay.clock import SystemClock
from fastpay.domain.customers import CreateCustomer, UpdateCustomer
from fastpay.domain.objects import Customer
from fastpay.domain.refunds import CreateRefund
from fastpay.engine.failures import TransientFailure, UnknownOutcome
from fastpay.engine.ports import Outcome, Submission
from fastpay.engine.write.writer import Writer
from fastpay.errors import DatabaseUnavailable, DeadlineExceeded, Overloaded
from tests.support.commands import Unwritable
from tests.support.memory import OTHER_TENANT, TENANT, MemoryStore, check_books, submission
from tests.support.random_commands import Known, make_command
from tests.support.world import PAY
from tests.unit.engine.write.test_writer import created, names_the_unwritable, running

JOIN = CreateCustomer(fields={"name": "Ada"})
NOBODY = UpdateCustomer(id="cus_" + "0" * 32, fields={})


def start(writer: Writer, submitted: Submission) -> "asyncio.Task[Outcome]":
    """Submit without waiting."""
    return asyncio.create_task(writer.submit(submitted))


async def turns(count: int = 20) -> None:
    """Let everything that can go on go on."""
    for _ in range(count):
        await asyncio.sleep(0)


async def test_the_next_batch_is_loaded_and_decided_while_one_is_at_the_database() -> None:
    store = MemoryStore()
    store.gate.clear()
    async with running(store) as writer:
        first = start(writer, submission(PAY, key="first"))
        await turns()
        assert (store.batches, store.loads) == (1, 1)
        second = start(writer, submission(PAY, key="second"))
        await turns()
        assert (store.batches, store.loads) == (1, 2)
        store.gate.set()
        await asyncio.gather(first, second)
        assert (store.batches, store.loads) == (2, 2)
    check_books(store)


async def test_a_command_may_stand_on_what_is_not_committed_yet() -> None:
    store = MemoryStore()
    async with running(store) as writer:
        intent = created(await writer.submit(submission(PAY)))
        store.gate.clear()
        refunds = [start(writer, submission(CreateRefund(payment_intent=intent, amount=600)))]
        await turns()
        refunds.append(start(writer, submission(CreateRefund(payment_intent=intent, amount=600))))
        await turns()
        store.gate.set()
        done, refused = await asyncio.gather(*refunds)
    assert done.answer.error is None
    assert refused.answer.error is not None
    check_books(store)


async def test_a_free_database_does_not_wait_for_those_that_are_still_being_loaded() -> None:
    store = MemoryStore()
    store.gate.clear()
    store.loads_gate.clear()
    async with running(store) as writer:
        first = start(writer, submission(PAY, key="first"))
        await turns()
        second = start(writer, submission(PAY, key="second"))
        await turns()
        assert (store.batches, store.loads) == (0, 1)
        store.loads_gate.set()
        await asyncio.sleep(0)
        store.loads_gate.clear()
        await turns()
        # However many keep coming, what is decided goes.
        assert (store.batches, store.loads) == (1, 2)
        store.gate.set()
        store.loads_gate.set()
        await asyncio.gather(first, second)
    check_books(store)


@pytest.mark.usefixtures("pauses")
async def test_what_was_decided_on_top_of_a_failed_batch_is_decided_anew() -> None:
    store = MemoryStore()
    store.failures = [TransientFailure("57P01") for _ in range(limits.commit_attempts_max)]
    store.gate.clear()
    async with running(store) as writer:
        first = start(writer, submission(PAY, key="k"))
        await turns()
        again = start(writer, submission(PAY, key="k"))
        await turns()
        store.gate.set()
        with pytest.raises(DatabaseUnavailable):
            await first
        # Not a replay of what never was.
        assert (await again).original_request_id is None
    assert len(store.state.idempotency) == 1
    check_books(store)


async def test_what_was_decided_on_top_of_an_unknown_outcome_learns_what_became_of_it() -> None:
    store = MemoryStore()
    store.lost = [UnknownOutcome()]
    store.gate.clear()
    async with running(store) as writer:
        first = start(writer, submission(PAY, key="k"))
        await turns()
        again = start(writer, submission(PAY, key="k"))
        other = start(writer, submission(JOIN))
        await turns()
        store.gate.set()
        with pytest.raises(DatabaseUnavailable):
            await first
        assert (await again).original_request_id is not None
        assert (await other).answer.error is None
    check_books(store)


async def test_what_was_decided_on_top_of_a_refused_batch_is_decided_anew() -> None:
    store = MemoryStore()
    store.refuses = names_the_unwritable
    store.gate.clear()
    async with running(store) as writer:
        refused = start(writer, submission(Unwritable(), key="k"))
        await turns()
        again = start(writer, submission(JOIN, key="k"))
        paid = start(writer, submission(PAY))
        await turns()
        store.gate.set()
        results = await asyncio.gather(refused, again, paid, return_exceptions=True)
    assert isinstance(results[0], Exception)
    assert [isinstance(result, Outcome) for result in results[1:]] == [True, True]
    # The key of what was refused was not used up: it stands for another request now.
    assert store.state.books[TENANT].sequence == 4
    check_books(store)


async def test_a_batch_that_another_instance_overtook_is_decided_anew_under_the_lock() -> None:
    store = MemoryStore()
    async with running(store) as one, running(store) as other:
        intent = created(await one.submit(submission(PAY)))
        refund = CreateRefund(payment_intent=intent, amount=1000)
        assert (await other.submit(submission(refund))).answer.error is None
        batches = store.batches
        # What `one` remembers is no longer so, and nobody told it.
        assert (await one.submit(submission(refund))).answer.error is not None
        # One that found the book moved on, and one under the lock.
        assert store.batches == batches + 2
    check_books(store)


async def test_a_refusal_is_held_against_the_books_as_well() -> None:
    store = MemoryStore()
    async with running(store) as one, running(store) as other:
        customer = created(await one.submit(submission(JOIN)))
        rename = UpdateCustomer(id=customer, fields={"name": "Bob"})
        assert (await other.submit(submission(rename))).answer.error is None
        batches = store.batches
        assert (await one.submit(submission(NOBODY))).answer.error is not None
        # Decided under the lock, since somebody else had been there.
        assert store.batches == batches + 1
        for _ in range(limits.locked_batches):
            await one.submit(submission(JOIN))
        batches = store.batches
        assert (await one.submit(submission(NOBODY))).answer.error is not None
        # A refusal that nobody keeps needs no transaction where the books stand as expected.
        assert store.batches == batches


async def test_replays_need_no_transaction() -> None:
    store = MemoryStore()
    async with running(store) as writer:
        first = await writer.submit(submission(PAY, key="k"))
    async with running(store) as writer:
        batches = store.batches
        again = await asyncio.gather(*(writer.submit(submission(PAY, key="k")) for _ in range(5)))
        assert store.batches == batches
    assert {outcome.answer for outcome in again} == {first.answer}


@pytest.mark.parametrize("seed", range(6))
async def test_instances_that_write_to_the_same_tenants_keep_one_set_of_books(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "locked_batches", 2)
    monkeypatch.setattr(limits, "working_set_entries_max", 40)
    chance = random.Random(seed)
    store = MemoryStore()
    outcomes: list[Outcome] = []
    async with running(store, batch_commands_max=4) as one, running(store, batch_commands_max=3) as other:
        for _ in range(30):
            waiting = []
            for _ in range(chance.randint(1, 8)):
                scope = chance.choice((TENANT, TENANT, OTHER_TENANT))
                command = make_command(Known(store.state, scope, chance), chance)
                key = chance.choice((None, f"key {chance.randint(1, 60)}"))
                writer = chance.choice((one, other))
                waiting.append(start(writer, submission(command, scope=scope, key=key)))
                await turns(chance.randint(0, 6))
            outcomes += await asyncio.gather(*waiting)
    assert {outcome.answer.error is None for outcome in outcomes} == {True, False}
    check_books(store)


async def test_a_working_set_that_is_full_is_let_go_and_loaded_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "working_set_entries_max", 30)
    store = MemoryStore()
    async with running(store, batch_commands_max=5) as writer:
        for _ in range(8):
            await asyncio.gather(*(writer.submit(submission(PAY)) for _ in range(12)))
        held = writer.loop._decider.working_set
        assert len(held.workspaces[TENANT].objects) < 30 + 2 * 3 * 5
    check_books(store)


async def test_nothing_is_loaded_again_while_a_batch_that_changes_it_is_on_its_way(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    store = MemoryStore()
    async with running(store) as writer:
        intent = created(await writer.submit(submission(PAY)))
        monkeypatch.setattr(limits, "working_set_entries_max", 8)
        store.gate.clear()
        refund = CreateRefund(payment_intent=intent, amount=600)
        first = start(writer, submission(refund))
        await turns()
        second = start(writer, submission(refund))
        await turns()
        store.gate.set()
        done, refused = await asyncio.gather(first, second)
    assert done.answer.error is None
    assert refused.answer.error is not None
    # The keys of the tables would have found out, at the cost of deciding all of the batch anew.
    assert "batch_isolated" not in caplog.text
    check_books(store)


@pytest.mark.usefixtures("pauses")
async def test_what_was_loaded_while_a_batch_failed_is_loaded_again() -> None:
    store = MemoryStore()
    async with running(store) as writer:
        await writer.submit(submission(JOIN))
        store.failures = [TransientFailure("57P01") for _ in range(limits.commit_attempts_max)]
        store.gate.clear()
        first = start(writer, submission(PAY))
        await turns()
        store.loads_gate.clear()
        # With a key there is something to load: keys are looked up after a start.
        second = start(writer, submission(PAY, key="k"))
        await turns()
        store.gate.set()
        with pytest.raises(DatabaseUnavailable):
            await first
        batches, loads = store.batches, store.loads
        store.loads_gate.set()
        assert (await second).answer.error is None
        # Decided on what stands, and so written in one go.
        assert (store.batches, store.loads) == (batches + 1, loads + 1)
    check_books(store)


@pytest.mark.usefixtures("pauses")
async def test_what_starts_over_keeps_its_order() -> None:
    store = MemoryStore()
    async with running(store) as writer:
        customer = created(await writer.submit(submission(JOIN)))
        store.failures = [TransientFailure("57P01") for _ in range(limits.commit_attempts_max)]
        store.gate.clear()
        first = start(writer, submission(PAY))
        await turns()
        renames = [start(writer, submission(UpdateCustomer(id=customer, fields={"name": "decided"})))]
        await turns()
        store.loads_gate.clear()
        renames.append(start(writer, submission(UpdateCustomer(id=customer, fields={"name": "loading"}))))
        await turns()
        renames.append(start(writer, submission(UpdateCustomer(id=customer, fields={"name": "in line"}))))
        await turns()
        store.gate.set()
        with pytest.raises(DatabaseUnavailable):
            await first
        store.loads_gate.set()
        await asyncio.gather(*renames)
    names = [
        written.object.name for _, written in store.state.versions if isinstance(written.object, Customer)
    ]
    assert names == ["Ada", "decided", "loading", "in line"]
    check_books(store)


async def test_reads_that_fail_for_a_moment_are_tried_again(pauses: list[float]) -> None:
    store = MemoryStore()
    store.unreachable = [TransientFailure("08000"), TransientFailure("08000")]
    async with running(store) as writer:
        assert (await writer.submit(submission(PAY))).answer.error is None
    assert len(pauses) == 2
    check_books(store)


async def test_reads_that_keep_failing_end_in_an_answer(pauses: list[float]) -> None:
    store = MemoryStore()
    store.unreachable = [TransientFailure("08000") for _ in range(limits.commit_attempts_max)]
    async with running(store) as writer:
        with pytest.raises(DatabaseUnavailable):
            await writer.submit(submission(PAY))
        assert (await writer.submit(submission(PAY))).answer.error is None
    assert len(pauses) == limits.commit_attempts_max - 1


async def test_a_command_whose_client_no_longer_waits_is_not_begun() -> None:
    store = MemoryStore()
    store.gate.clear()
    clock = SystemClock()
    async with running(store) as writer:
        first = start(writer, submission(PAY))
        await turns()
        over = msgspec.structs.replace(submission(PAY, key="k"), deadline_ns=clock.monotonic_ns())
        ample = msgspec.structs.replace(submission(JOIN), deadline_ns=clock.monotonic_ns() + 10**12)
        late, kept = start(writer, over), start(writer, ample)
        await turns()
        store.gate.set()
        with pytest.raises(DeadlineExceeded):
            await late
        await asyncio.gather(first, kept)
    assert store.state.idempotency == {}
    check_books(store)


async def test_a_flood_of_one_tenant_does_not_keep_another_from_the_next_batch() -> None:
    store = MemoryStore()
    async with running(store, batch_commands_max=10) as writer:
        # Its book is known already: a newcomer's is loaded beside the batches.
        await writer.submit(submission(JOIN, scope=OTHER_TENANT))
        store.gate.clear()
        flood = [start(writer, submission(JOIN)) for _ in range(100)]
        await turns()
        guest = start(writer, submission(JOIN, scope=OTHER_TENANT))
        await turns()
        store.gate.set()
        await guest
        # One batch was at the database and one was decided when the guest came.
        assert len([task for task in flood if task.done()]) <= 30
        await asyncio.gather(*flood)
    check_books(store)


async def test_when_all_places_are_taken_the_longest_line_gives_one_to_a_newcomer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "queued_commands_max", 10)
    store = MemoryStore()
    store.gate.clear()
    async with running(store, batch_commands_max=1) as writer:
        flood = [start(writer, submission(JOIN))]
        await turns()
        flood.append(start(writer, submission(JOIN)))
        await turns()
        # One is at the database, one is decided; these are the ones in line.
        flood += [start(writer, submission(JOIN)) for _ in range(10)]
        await turns()
        with pytest.raises(Overloaded):
            writer.admit(TENANT)
        writer.admit(OTHER_TENANT)
        guest = start(writer, submission(JOIN, scope=OTHER_TENANT))
        await turns()
        assert [task.done() for task in flood] == [False] * 11 + [True]
        store.gate.set()
        results = await asyncio.gather(guest, *flood, return_exceptions=True)
    assert [type(result) for result in results] == [Outcome] * 12 + [Overloaded]
    check_books(store)


async def test_who_would_wait_too_long_is_refused_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "queue_wait_ms_max", 0)
    store = MemoryStore()
    async with running(store, batch_commands_max=2) as writer:
        # One batch has been, so that there is a pace to go by.
        await writer.submit(submission(JOIN))
        store.gate.clear()
        waiting = []
        for _ in range(3):
            # At the database, decided, and in line.
            waiting += [start(writer, submission(JOIN)) for _ in range(2)]
            await turns()
        with pytest.raises(Overloaded):
            writer.admit(TENANT)
        store.gate.set()
        assert len(await asyncio.gather(*waiting)) == 6
