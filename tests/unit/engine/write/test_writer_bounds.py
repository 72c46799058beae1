"""What the writer holds, waits for and lets go of: all of it within bounds."""

import asyncio
from typing import Any

import msgspec
import pytest

from fastpay import limits
from fastpay.clock import SystemClock
from fastpay.domain.customers import CreateCustomer
from fastpay.domain.identifiers import Scope
from fastpay.domain.ledger import Account
from fastpay.domain.ledger_accounts import CreateLedgerAccount
from fastpay.domain.plan import Book, Draft, Workspace
from fastpay.domain.rules import Rules
from fastpay.engine.failures import RefusedBatch
from fastpay.engine.ports import Outcome
from fastpay.engine.write.queued import QueuedSubmission
from fastpay.engine.write.working_set import WorkingSet
from fastpay.engine.write.writer import Writer
from fastpay.errors import DeadlineExceeded, Overloaded
from tests.support.memory import OTHER_TENANT, TENANT, MemoryStore, check_books, submission
from tests.support.world import PAY
from tests.unit.engine.write.test_queue import Heavy
from tests.unit.engine.write.test_writer import created, running
from tests.unit.engine.write.test_writer_ahead import JOIN, NOBODY, start, turns


async def test_heavy_commands_of_one_tenant_never_push_plain_ones_of_another_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "queued_weight_max", 1_000)
    store = MemoryStore()
    store.gate.clear()
    async with running(store, batch_commands_max=1) as writer:
        plain = [start(writer, submission(JOIN, scope=OTHER_TENANT)) for _ in range(20)]
        await turns()
        heavy = [start(writer, submission(Heavy(300))) for _ in range(10)]
        await turns()
        assert writer._queue.weight <= 1_000
        assert not [task for task in plain if task.done()]
        refused = [task for task in heavy if task.done()]
        assert len(refused) >= 6
        store.gate.set()
        results = await asyncio.gather(*plain)
        for task in refused:
            with pytest.raises(Overloaded):
                await task
        await asyncio.gather(*heavy, return_exceptions=True)
    assert {result.answer.error for result in results} == {None}


@pytest.mark.parametrize("batches", [1, 6])
async def test_batches_of_transfers_in_line_count_for_the_wait_of_their_tenant_alone(
    monkeypatch: pytest.MonkeyPatch, batches: int
) -> None:
    monkeypatch.setattr(limits, "queue_wait_ms_max", 0)
    store = MemoryStore()
    async with running(store) as writer:
        await writer.submit(submission(JOIN))
        store.gate.clear()
        store.loads_gate.clear()
        waiting = [start(writer, submission(JOIN, key="k"))]
        await turns()
        waiting += [start(writer, submission(Heavy(limits.batch_weight_max))) for _ in range(batches)]
        await turns()
        with pytest.raises(Overloaded):
            writer.admit(TENANT)
        writer.admit(OTHER_TENANT)
        store.gate.set()
        store.loads_gate.set()
        await asyncio.gather(*waiting, return_exceptions=True)


class Crowd(CreateCustomer, frozen=True, kw_only=True):
    """A command that counts for some."""

    weight: int = 8


@pytest.mark.parametrize("locked_batches", [0, 3])
async def test_a_command_without_room_in_the_open_batch_is_left_in_line_until_its_turn(
    monkeypatch: pytest.MonkeyPatch, locked_batches: int
) -> None:
    store = MemoryStore()
    store.gate.clear()
    async with running(store) as writer:
        writer.loop.pipeline._weight_max = 10
        writer.loop.pipeline.locked_left = locked_batches
        waiting = [start(writer, submission(JOIN))]
        await turns()
        looks = 0
        take = writer._queue.take

        def counted(*arguments: Any, **options: Any) -> list[QueuedSubmission]:
            nonlocal looks
            looks += 1
            # A writer that looks again and again lets nobody else have the loop: end it.
            assert looks <= 10
            return take(*arguments, **options)

        monkeypatch.setattr(writer._queue, "take", counted)
        waiting += [start(writer, submission(Crowd(fields={"name": "Ada"}))) for _ in range(3)]
        await turns()
        assert looks <= 10
        assert (len(writer.loop.pipeline.open), len(writer._queue)) == (1, 2)
        store.gate.set()
        await asyncio.gather(*waiting)
    assert store.sizes == [1, 1, 1, 1]


async def test_accounts_opened_in_memory_fill_the_working_set_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "working_set_entries_max", 60)
    monkeypatch.setattr(limits, "accounts_carried_max", 10)
    store = MemoryStore()
    opened = CreateLedgerAccount(currency="usd", code="wallet", normal_side="C")
    async with running(store) as writer:
        for _ in range(200):
            await writer.submit(submission(opened))
        accounts = writer.loop._decider.working_set.workspaces[TENANT].accounts
        assert len(accounts) < 100
    assert len(store.state.accounts) == 200


class Counting(dict[Scope, Workspace]):
    """Workspaces, and how often all of them were visited."""

    counted = 0

    def values(self) -> Any:
        """Return them, and count that."""
        self.counted += 1
        return super().values()


@pytest.mark.parametrize(("accounts", "kept"), [(20, 20), (28, 28), (29, 0), (70, 0)])
def test_accounts_are_carried_on_while_they_leave_half_of_the_room(
    monkeypatch: pytest.MonkeyPatch, accounts: int, kept: int
) -> None:
    monkeypatch.setattr(limits, "working_set_entries_max", 60)
    monkeypatch.setattr(limits, "accounts_carried_max", 10)
    working_set = WorkingSet()
    working_set.open([Book(TENANT, 0, Rules(290, 30))])
    workspace = working_set.workspaces[TENANT]
    for number in range(accounts):
        workspace.accounts[f"{number}"] = Account(f"{number}", "wallet", "usd", "C")
    workspace.asked.update(["1", "nobody's"])
    workspace.objects.update({f"{number}": None for number in range(50)})
    assert working_set.is_full()
    working_set.shrink()
    assert (len(workspace.accounts), workspace.objects) == (kept, {})
    assert workspace.asked == ({"1"} if kept else set())
    assert not working_set.is_full()


def test_entries_are_counted_only_when_commands_may_have_filled_the_working_set() -> None:
    working_set = WorkingSet()
    tenants = Counting()
    working_set.workspaces = tenants
    for _ in range(100):
        assert not working_set.is_full(1)
    assert tenants.counted == 1
    # A batch of transfers may add as much as it weighs.
    assert not working_set.is_full(limits.batch_weight_max)
    assert tenants.counted == 2


async def test_an_answer_that_the_database_may_have_forgotten_is_looked_up_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store = MemoryStore()
    async with running(store) as writer:
        first = await writer.submit(submission(JOIN, key="k"))
        store.state.idempotency.clear()
        replay = await writer.submit(submission(JOIN, key="k"))
        monkeypatch.setattr(limits, "first_answer_carried_ms", -1)
        anew = await writer.submit(submission(JOIN, key="k"))
    assert created(replay) == created(first)
    assert anew.original_request_id is None


async def test_a_refusal_that_another_instance_kept_isolates_nobody(caplog: pytest.LogCaptureFixture) -> None:
    store = MemoryStore()
    async with running(store) as one, running(store) as other:
        await one.submit(submission(JOIN))
        store.gate.clear()
        mine = [start(one, submission(NOBODY, key="k")), start(one, submission(JOIN))]
        await turns()
        theirs = start(other, submission(NOBODY, key="k"))
        await turns()
        store.gate.set()
        answers = await asyncio.gather(*mine, theirs)
    assert [answer.original_request_id is None for answer in answers].count(False) == 1
    assert "batch_isolated" not in caplog.text
    check_books(store)


async def test_a_deadline_that_passes_while_its_command_is_loaded_is_held() -> None:
    store = MemoryStore()
    store.loads_gate.clear()
    async with running(store) as writer:
        deadline_ns = SystemClock().monotonic_ns() + 5_000_000
        late = start(writer, msgspec.structs.replace(submission(PAY, key="k"), deadline_ns=deadline_ns))
        await asyncio.sleep(0.02)
        store.loads_gate.set()
        with pytest.raises(DeadlineExceeded):
            await late
    assert store.state.idempotency == {}


async def test_a_prefetch_that_hangs_is_given_up_and_done_under_the_lock(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "prefetch_timeout_ms", 10)
    store = MemoryStore()
    store.loads_gate.clear()
    async with running(store) as writer:
        assert (await writer.submit(submission(PAY))).answer.error is None
    check_books(store)


async def test_books_that_may_not_be_read_beside_are_read_under_the_lock() -> None:
    store = MemoryStore()
    async with running(store) as writer:
        await writer.submit(submission(JOIN))
        batches = store.batches
        # The first read loads what the command needs, the second holds the refusal against the books.
        store.unreachable = [RefusedBatch("42501", None)]
        assert (await writer.submit(submission(NOBODY))).answer.error is not None
        assert store.batches == batches + 1


async def test_an_observer_that_fails_keeps_no_answer_back(caplog: pytest.LogCaptureFixture) -> None:
    class Deaf:
        def committed(self, commits: object) -> None:
            raise ZeroDivisionError

    store = MemoryStore()
    writer = Writer(store, clock=SystemClock(), observer=Deaf())
    writer.start()
    outcome = await writer.submit(submission(PAY))
    await writer.close()
    assert isinstance(outcome, Outcome)
    assert "observer_failed" in caplog.text


class Impossible(msgspec.Struct, frozen=True):
    """A command that fails on what cannot be, unless somebody has written something."""

    def needs(self, workspace: Workspace) -> tuple[str, ...]:
        """Need nothing."""
        return ()

    def execute(self, workspace: Workspace, draft: Draft) -> str:
        """Fail on an outdated sequence."""
        assert workspace.sequence > 1
        return JOIN.execute(workspace, draft)


async def test_a_fault_on_an_outdated_working_set_alarms_nobody(caplog: pytest.LogCaptureFixture) -> None:
    store = MemoryStore()
    async with running(store) as one, running(store) as other:
        await one.submit(submission(JOIN))
        await other.submit(submission(JOIN))
        assert (await one.submit(submission(Impossible()))).answer.error is None
        assert "command_failed" not in caplog.text
    store = MemoryStore()
    async with running(store) as writer:
        with pytest.raises(AssertionError):
            await writer.submit(submission(Impossible()))
    assert "command_failed" in caplog.text
