"""The writer and the database's clock: what carries another time is neither committed nor answered."""

import asyncio
import itertools

import pytest

from fastpay import limits
from fastpay.domain.customers import UpdateCustomer
from fastpay.engine.write.queued import make_entry
from fastpay.engine.write.transactions import allowed_moments
from fastpay.errors import ClockSkewed, DatabaseUnavailable
from tests.support.memory import MOMENT_MS, MemoryStore, check_books, submission
from tests.support.world import PAY
from tests.unit.engine.write.test_writer import JOIN, created, running

# Submissions carry moments shortly after MOMENT_MS.
NUMBERS_MAX = 60_000
WRONG_MS = (-limits.clock_skew_ms_max - 1, limits.creation_ms_max + NUMBERS_MAX, 8 * 86_400_000)


@pytest.mark.parametrize("moved_ms", WRONG_MS)
async def test_a_batch_of_another_time_is_undone_and_may_be_tried_again(moved_ms: int) -> None:
    store = MemoryStore()
    store.moment_ms = MOMENT_MS + moved_ms
    async with running(store) as writer:
        with pytest.raises(ClockSkewed):
            await writer.submit(submission(PAY, key="order", number=1))
        assert (store.state.events, store.state.idempotency) == ([], {})
        store.moment_ms = MOMENT_MS
        again = await writer.submit(submission(PAY, key="order", number=1))
    assert again.original_request_id is None
    created(again)
    check_books(store)


@pytest.mark.parametrize("numbers", list(itertools.permutations((3, 5, 9))))
async def test_a_batch_is_as_old_as_its_first_command_and_as_new_as_its_last(
    numbers: tuple[int, ...],
) -> None:
    entries = [make_entry(submission(PAY, number=number), 0) for number in numbers]
    first_ms, last_ms = allowed_moments(entries)
    assert first_ms == MOMENT_MS + 9 - limits.clock_skew_ms_max
    assert last_ms == MOMENT_MS + 3 + limits.creation_ms_max


async def test_a_command_may_have_waited_as_long_as_commands_may() -> None:
    store = MemoryStore()
    async with running(store) as writer:
        for moved_ms in (-limits.clock_skew_ms_max, 0, limits.creation_ms_max):
            store.moment_ms = MOMENT_MS + moved_ms
            created(await writer.submit(submission(JOIN, number=0)))


@pytest.mark.parametrize("moved_ms", WRONG_MS)
async def test_a_refusal_of_another_time_is_not_given_although_nothing_is_written(moved_ms: int) -> None:
    """It may follow from the time, as that an authorization has expired."""
    store = MemoryStore()
    nowhere = UpdateCustomer(id=f"cus_{1:032x}", fields={})
    async with running(store) as writer:
        outcome = await writer.submit(submission(nowhere))
        assert outcome.answer.error is not None
        store.moment_ms = MOMENT_MS + moved_ms
        with pytest.raises(ClockSkewed):
            await writer.submit(submission(nowhere))


async def test_a_first_answer_is_given_again_at_any_time() -> None:
    store = MemoryStore()
    async with running(store) as writer:
        first = await writer.submit(submission(PAY, key="order", number=1))
        store.moment_ms = MOMENT_MS - 10 * limits.clock_skew_ms_max
        again = await writer.submit(submission(PAY, key="order", number=1))
    assert created(again) == created(first)
    assert again.original_request_id is not None


async def test_what_was_decided_on_top_is_decided_anew() -> None:
    store = MemoryStore()
    store.gate.clear()
    async with running(store) as writer:
        wrong = asyncio.create_task(writer.submit(submission(PAY, key="order", number=1)))
        await asyncio.sleep(0.01)
        above = [asyncio.create_task(writer.submit(submission(PAY, key=f"{number}"))) for number in range(3)]
        await asyncio.sleep(0.01)
        store.moment_ms = MOMENT_MS - 10 * limits.clock_skew_ms_max
        store.gate.set()
        with pytest.raises(ClockSkewed):
            await wrong
        store.moment_ms = MOMENT_MS
        outcomes = await asyncio.gather(*above, return_exceptions=True)
    # Whoever came to the database before its clock was right again is told so, and nobody is half done.
    done = [outcome for outcome in outcomes if not isinstance(outcome, ClockSkewed | DatabaseUnavailable)]
    assert len(store.state.idempotency) == len(done)
    check_books(store)
