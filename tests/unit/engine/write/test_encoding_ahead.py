"""Encoding ahead: what a heavy batch writes is encoded while the one before it is at the database."""

import asyncio
from collections.abc import Generator

from fastpay import limits
from fastpay.engine.background import Background
from fastpay.engine.failures import RefusedBatch
from fastpay.engine.ports import Changes
from fastpay.engine.write.batch import DecidedBatch
from fastpay.engine.write.queued import make_entry
from fastpay.engine.write.transactions import Transactions
from fastpay.engine.write.working_set import WorkingSet
from tests.support.memory import TENANT, Kept, MemoryStore, check_books, submission
from tests.unit.engine.write.test_dispatcher import Heavy
from tests.unit.engine.write.test_writer import running
from tests.unit.engine.write.test_writer_ahead import JOIN, start, turns

HEAVY = Heavy(fields={"name": "Ada"}, weight=limits.plain_batch_weight_max + 1)


class Noting(MemoryStore):
    """Notes how many commands were encoded each time, and refuses so many of the next."""

    def __init__(self) -> None:
        super().__init__()
        self.encoded: list[int] = []
        self.refused = 0

    def encode(self, changes: Changes, rows_max: int | None = None) -> Generator[None, None, Kept]:
        """Return the changes, in two steps."""
        commands = len(changes.drafts)
        yield
        if self.refused:
            self.refused -= 1
            raise RefusedBatch("22021", None)
        self.encoded.append(commands)
        return Kept(changes=changes)


async def test_a_heavy_batch_is_encoded_once_while_another_is_at_the_database() -> None:
    store = Noting()
    store.gate.clear()
    async with running(store, batch_commands_max=1) as writer:
        first = start(writer, submission(HEAVY))
        await turns()
        assert (store.batches, store.encoded) == (1, [1])
        others = [start(writer, submission(HEAVY)) for _ in range(2)]
        await turns()
        assert (store.batches, store.encoded) == (1, [1, 1])
        store.gate.set()
        await asyncio.gather(first, *others)
    assert store.encoded == [1, 1, 1]
    check_books(store)


async def test_a_plain_batch_is_encoded_when_it_leaves() -> None:
    store = Noting()
    store.gate.clear()
    async with running(store, batch_commands_max=1) as writer:
        tasks = [start(writer, submission(JOIN)) for _ in range(3)]
        await turns()
        assert store.encoded == [1]
        store.gate.set()
        await asyncio.gather(*tasks)
    check_books(store)


async def test_what_cannot_be_encoded_ahead_is_answered_at_its_turn() -> None:
    store = Noting()
    store.gate.clear()
    async with running(store, batch_commands_max=1) as writer:
        first = start(writer, submission(HEAVY))
        await turns()
        # Ahead, and again at its turn. Then each command is written by itself, under the lock.
        store.refused = 2
        second = start(writer, submission(HEAVY))
        await turns()
        assert (store.refused, second.done()) == (1, False)
        store.gate.set()
        assert [one.answer.error for one in await asyncio.gather(first, second)] == [None, None]
    assert store.refused == 0
    check_books(store)


async def test_a_command_that_is_added_is_encoded_too() -> None:
    store, working_set, batch = Noting(), WorkingSet(), DecidedBatch()
    working_set.open([store.state.books[TENANT]])
    transactions = Transactions(store, Background())
    batch.decide(working_set, make_entry(submission(HEAVY), 0))
    await transactions.encode(batch)
    await transactions.encode(batch)
    assert (store.encoded, batch.can_encode_ahead) == ([1], False)
    batch.decide(working_set, make_entry(submission(HEAVY), 0))
    assert batch.can_encode_ahead
    running_one = asyncio.create_task(transactions.encode(batch))
    await asyncio.sleep(0)
    # Between two steps of encoding.
    batch.decide(working_set, make_entry(submission(HEAVY), 0))
    await running_one
    assert batch.can_encode_ahead
    await transactions.encode(batch)
    assert store.encoded == [1, 2, 3]
