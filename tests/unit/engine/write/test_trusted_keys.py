"""Idempotency keys that are taken for new: nobody looks them up, and each has one answer all the same."""

import asyncio

import msgspec
import pytest

from fastpay import limits
from fastpay.domain.customers import CreateCustomer
from fastpay.domain.plan import Command, Draft, Workspace
from fastpay.domain.refunds import CreateRefund
from fastpay.engine.ports import Outcome
from tests.support.commands import Unwritable
from tests.support.memory import TENANT, MemoryStore, check_books, submission
from tests.support.world import PAY
from tests.unit.engine.write.test_writer import created, names_the_unwritable, running
from tests.unit.engine.write.test_writer_ahead import start, turns

JOIN = CreateCustomer(fields={"name": "Ada"})


class Faulty(CreateCustomer, frozen=True, kw_only=True):
    """A command that fails by our own fault, after it had done its work once."""

    failing: list[bool]

    def execute(self, workspace: Workspace, draft: Draft) -> str:
        """Create the customer, or fail."""
        if self.failing:
            raise ZeroDivisionError
        return super().execute(workspace, draft)


@pytest.fixture(autouse=True)
def trusting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trust every key from the start on."""
    monkeypatch.setattr(limits, "keys_doubted_ms", 0)


async def test_new_keys_are_not_looked_up() -> None:
    store = MemoryStore()
    async with running(store) as writer:
        await writer.submit(submission(PAY))
        loads, batches = store.loads, store.batches
        for number in range(5):
            await writer.submit(submission(PAY, key=f"{number}"))
        assert (store.loads, store.batches) == (loads, batches + 5)
    check_books(store)


async def test_keys_are_looked_up_after_a_start_and_after_one_was_met_that_was_not_new(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store = MemoryStore()
    async with running(store) as other, running(store) as writer:
        first = await other.submit(submission(JOIN, key="k"))
        await writer.submit(submission(JOIN))
        monkeypatch.setattr(limits, "keys_doubted_ms", 3_600_000)
        again = await writer.submit(submission(JOIN, key="k"))
        assert again.answer == first.answer
        loads, batches = store.loads, store.batches
        await writer.submit(submission(JOIN, key="new"))
        await writer.submit(submission(JOIN, key="newer"))
        # Looked up, and decided ahead all the same: one batch each.
        assert (store.loads, store.batches) == (loads + 2, batches + 2)
    async with running(store) as writer:
        loads, batches = store.loads, store.batches
        assert (await writer.submit(submission(JOIN, key="k"))).answer == first.answer
        assert (store.loads, store.batches) == (loads + 1, batches)
    check_books(store)


async def test_used_keys_among_new_ones_get_their_first_answers() -> None:
    store = MemoryStore()
    async with running(store) as one:
        paid = created(await one.submit(submission(PAY, key="paid")))
        refund = CreateRefund(payment_intent=paid, amount=1000)
        done = await one.submit(submission(refund, key="refund"))
        # A refusal is kept as well, and moves no sequence.
        refused = await one.submit(submission(refund, key="refused"))
        assert refused.answer.error is not None
        async with running(store) as other:
            asked: list[tuple[Command, str]] = [
                (PAY, "paid"),
                (PAY, "new"),
                (refund, "refund"),
                (refund, "refused"),
                (PAY, "newer"),
            ]
            outcomes = await asyncio.gather(
                *(start(other, submission(command, key=key)) for command, key in asked)
            )
    assert [outcome.original_request_id is not None for outcome in outcomes] == [
        True,
        False,
        True,
        True,
        False,
    ]
    assert outcomes[2].answer == done.answer
    assert outcomes[3].answer == refused.answer
    assert store.state.books[submission(PAY).scope].sequence == 3 * 3 + 1 + 1
    check_books(store)


async def test_a_used_key_whose_command_fails_now_gets_its_first_answer() -> None:
    store = MemoryStore()
    failing: list[bool] = []
    command = Faulty(fields={"name": "Ada"}, failing=failing)
    async with running(store) as one, running(store) as other:
        first = await one.submit(submission(command, key="k"))
        # So that its book is what it stands on, and only the key can tell.
        await other.submit(submission(JOIN))
        failing.append(True)
        # What fails leaves no row, which could tell that the key was used.
        again, joined = await asyncio.gather(
            start(other, submission(command, key="k")), start(other, submission(JOIN, key="j"))
        )
        assert again.answer == first.answer
        assert joined.answer.error is None
        alone = await other.submit(submission(msgspec.structs.replace(command), key="k"))
        assert alone.answer == first.answer
    check_books(store)


class Watching(CreateCustomer, frozen=True, kw_only=True):
    """A command that notes how many batches are at the database when it is decided."""

    store: MemoryStore
    seen: list[int]

    def execute(self, workspace: Workspace, draft: Draft) -> str:
        """Create the customer."""
        self.seen.append(self.store.batches)
        return super().execute(workspace, draft)


async def test_a_batch_is_on_its_way_before_the_next_one_is_decided() -> None:
    store = MemoryStore()
    async with running(store, batch_commands_max=2) as writer:
        await writer.submit(submission(JOIN))
        before = store.batches
        command = Watching(fields={}, store=store, seen=[])
        await asyncio.gather(*(start(writer, submission(command)) for _ in range(4)))
    assert command.seen == [before, before, before + 1, before + 1]


async def test_a_batch_of_replays_alone_falls_with_what_it_replays() -> None:
    """It writes nothing, and no book is held against it."""
    store = MemoryStore()
    store.refuses = names_the_unwritable
    store.gate.clear()
    async with running(store) as writer:
        refused = start(writer, submission(Unwritable(), key="k"))
        await turns()
        again = start(writer, submission(JOIN, key="k"))
        await turns()
        store.gate.set()
        results = await asyncio.gather(refused, again, return_exceptions=True)
    assert isinstance(results[0], Exception)
    assert isinstance(results[1], Outcome)
    assert results[1].original_request_id is None
    assert store.state.books[TENANT].sequence == 1
    check_books(store)
