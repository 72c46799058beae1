"""A batch of N is indistinguishable from N batches of one."""

import asyncio
import itertools
import random
from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from fastpay.engine.background import Background
from fastpay.engine.ports import Outcome, Submission
from fastpay.engine.write.queued import make_entry
from fastpay.engine.write.transactions import decide_locked
from tests.support.memory import (
    MemoryStore,
    MemoryTransaction,
    check_books,
)
from tests.support.random_commands import make_round

Result = Outcome | Exception


async def commit(store: MemoryStore, batch: Sequence[Submission]) -> list[Result]:
    """Run one batch."""
    results: list[Result] = []

    async def work(transaction: MemoryTransaction) -> None:
        entries = [make_entry(each, 0) for each in batch]
        books = await transaction.lock_books(sorted({each.scope for each in batch}))
        results.extend((await decide_locked(transaction, entries, books, Background())).results)

    await store.run_batch(work)  # type: ignore[arg-type]
    return results


def split(batch: Sequence[Submission], chance: random.Random) -> list[Sequence[Submission]]:
    """Return the same submissions in the same order, in batches of any sizes."""
    batches, start = [], 0
    while start < len(batch):
        size = chance.randint(1, len(batch))
        batches.append(batch[start : start + size])
        start += size
    return batches


async def compare(seed: int) -> None:
    """Run the same rounds one by one and in batches, and compare answers and books."""
    chance = random.Random(seed)
    numbers = itertools.count(1)
    single, batched = MemoryStore(), MemoryStore()
    for _ in range(5):
        submissions = make_round(single.state, chance, numbers)
        expected = [result for one in submissions for result in await commit(single, [one])]
        found = [result for batch in split(submissions, chance) for result in await commit(batched, batch)]
        assert not [result for result in expected if isinstance(result, Exception)]
        assert found == expected
        assert batched.state == single.state
    check_books(single)


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 2**32))
def test_a_batch_of_many_is_like_many_batches_of_one(seed: int) -> None:
    asyncio.run(compare(seed))


def test_the_rounds_move_money_and_meet_refusals_and_replays() -> None:
    """Rounds that did nothing would be alike as well."""

    async def run() -> None:
        chance = random.Random(1)
        numbers = itertools.count(1)
        store = MemoryStore()
        results: list[Result] = []
        for _ in range(150):
            results += await commit(store, make_round(store.state, chance, numbers))
        outcomes = [result for result in results if isinstance(result, Outcome)]
        kinds = {transfer.kind for _, transfer in store.state.transfers}
        phases = {transfer.phase for _, transfer in store.state.transfers}
        assert kinds >= {"capture", "fee", "refund", "available"}
        assert kinds >= {"transfer", "transfer_reversal", "application_fee", "application_fee_refund"}
        # What else there is to do is done in part.
        assert len(kinds) > 11
        assert phases >= {"posted", "hold", "post", "void"}
        assert {outcome.answer.error is None for outcome in outcomes} == {True, False}
        assert {outcome.original_request_id is None for outcome in outcomes} == {True, False}

    asyncio.run(run())
