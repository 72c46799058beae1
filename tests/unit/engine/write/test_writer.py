"""The writer: batches, replays, faults, retries and bounds."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
import pytest

from fastpay import limits
from fastpay.clock import SystemClock
from fastpay.domain.customers import CreateCustomer, UpdateCustomer
from fastpay.domain.objects import Customer
from fastpay.domain.payment_intents import ConfirmPaymentIntent, UpdatePaymentIntent
from fastpay.engine.failures import TransientFailure, UnknownOutcome
from fastpay.engine.ports import Changes, Outcome
from fastpay.engine.write.writer import Writer
from fastpay.errors import DatabaseUnavailable, FastpayError, OutcomeUnknown, Overloaded
from tests.support.commands import Faulty, Regretful, Unwritable
from tests.support.memory import OTHER_TENANT, TENANT, MemoryStore, check_books, submission
from tests.support.world import PAY, card

JOIN = CreateCustomer(fields={"name": "Ada"})


@asynccontextmanager
async def running(store: MemoryStore, *, batch_commands_max: int = 512) -> AsyncIterator[Writer]:
    """Run a writer for the block."""
    writer = Writer(store, clock=SystemClock(), batch_commands_max=batch_commands_max)
    writer.start()
    try:
        yield writer
    finally:
        store.gate.set()
        store.loads_gate.set()
        await writer.close()


def created(outcome: Outcome) -> str:
    """Return the identifier of what a command that succeeded made."""
    assert outcome.answer.error is None
    assert outcome.answer.object_id is not None
    return outcome.answer.object_id


async def test_an_idle_writer_commits_a_batch_of_one_at_once() -> None:
    store = MemoryStore()
    async with running(store) as writer:
        outcome = await writer.submit(submission(PAY))
        assert store.sizes == [1]
        assert outcome.objects[created(outcome)].object.id == created(outcome)
    check_books(store)


async def test_what_gathers_during_a_batch_is_the_next_one_up_to_the_bound() -> None:
    store = MemoryStore()
    store.gate.clear()
    async with running(store, batch_commands_max=4) as writer:
        first = asyncio.create_task(writer.submit(submission(JOIN)))
        await asyncio.sleep(0.01)
        others = [asyncio.create_task(writer.submit(submission(JOIN))) for _ in range(6)]
        await asyncio.sleep(0)
        store.gate.set()
        await asyncio.gather(first, *others)
        assert store.sizes == [1, 4, 2]
    check_books(store)


@pytest.mark.parametrize("batch_commands_max", [1, 512])
async def test_a_key_seen_again_gets_the_first_answer_and_no_second_effect(batch_commands_max: int) -> None:
    store = MemoryStore()
    async with running(store, batch_commands_max=batch_commands_max) as writer:
        outcomes = await asyncio.gather(*(writer.submit(submission(PAY, key="k")) for _ in range(20)))
    assert len({outcome.answer for outcome in outcomes}) == 1
    assert [outcome.original_request_id for outcome in outcomes].count(None) == 1
    assert len({outcome.original_request_id for outcome in outcomes[1:]}) == 1
    assert len([event for _, event in store.state.events if event.type == "payment_intent.succeeded"]) == 1
    check_books(store)


@pytest.mark.parametrize("batch_commands_max", [1, 512])
async def test_a_key_with_another_request_is_a_mismatch_and_leaves_the_first_answer(
    batch_commands_max: int,
) -> None:
    store = MemoryStore()
    async with running(store, batch_commands_max=batch_commands_max) as writer:
        first, other, again = await asyncio.gather(
            writer.submit(submission(PAY, key="k")),
            writer.submit(submission(JOIN, key="k", fingerprint=b"other")),
            writer.submit(submission(PAY, key="k")),
        )
    assert other.answer.error is not None
    assert (other.answer.error.status, other.answer.error.type) == (400, "idempotency_error")
    assert other.original_request_id is None
    assert again.answer == first.answer
    assert len(store.state.idempotency) == 1


async def test_a_key_is_one_tenants_and_one_modes() -> None:
    store = MemoryStore(TENANT, OTHER_TENANT, TENANT._replace(livemode=True))
    async with running(store) as writer:
        outcomes = await asyncio.gather(
            *(writer.submit(submission(JOIN, scope=scope, key="k")) for scope in store.state.books)
        )
    assert [outcome.original_request_id for outcome in outcomes] == [None, None, None]
    assert len({created(outcome) for outcome in outcomes}) == 3


async def test_a_refusal_is_stored_with_its_answer() -> None:
    store = MemoryStore()
    refused = UpdateCustomer(id="cus_" + "0" * 32, fields={})
    async with running(store) as writer:
        first = await writer.submit(submission(refused, key="k"))
        again = await writer.submit(submission(refused, key="k"))
    assert first.answer.error is not None
    assert first.answer.error.status == 404
    assert (again.answer, again.original_request_id is None) == (first.answer, False)
    assert (store.state.events, store.state.versions) == ([], [])


async def test_a_command_refused_halfway_moves_nothing_and_its_neighbours_do() -> None:
    store = MemoryStore()
    async with running(store) as writer:
        commands = (PAY, Regretful(), PAY)
        outcomes = await asyncio.gather(*(writer.submit(submission(command)) for command in commands))
    assert [outcome.answer.error is None for outcome in outcomes] == [True, False, True]
    assert store.state.books[TENANT].sequence == 6
    check_books(store)


async def test_a_decline_is_stored_with_its_answer_and_its_effect() -> None:
    store = MemoryStore()
    declined = msgspec.structs.replace(PAY, payment_method=card("chargeDeclined"))
    async with running(store) as writer:
        first = await writer.submit(submission(declined, key="k"))
        again = await writer.submit(submission(declined, key="k"))
    assert first.answer.error is not None
    error = first.answer.error
    assert set(first.objects) == {error.charge, error.payment_intent, error.payment_method}
    assert again.answer == first.answer
    assert len([event for _, event in store.state.events if event.type == "charge.failed"]) == 1


@pytest.mark.parametrize("where", ["needs", "execute"])
async def test_a_fault_in_one_command_fails_that_one_alone_and_uses_no_key_up(where: str) -> None:
    store = MemoryStore()
    async with running(store) as writer:
        before, faulty, after = await asyncio.gather(
            writer.submit(submission(PAY)),
            writer.submit(submission(Faulty(where=where), key="k")),
            writer.submit(submission(PAY)),
            return_exceptions=True,
        )
    assert isinstance(before, Outcome)
    assert isinstance(after, Outcome)
    assert isinstance(faulty, Exception)
    assert store.state.idempotency == {}
    assert len([event for _, event in store.state.events if event.type == "payment_intent.succeeded"]) == 2
    check_books(store)


async def test_what_the_database_refuses_is_isolated_and_its_neighbours_commit() -> None:
    store = MemoryStore()
    store.refuses = names_the_unwritable
    async with running(store) as writer:
        results = await asyncio.gather(
            writer.submit(submission(PAY)),
            writer.submit(submission(Unwritable(), key="k")),
            writer.submit(submission(JOIN)),
            return_exceptions=True,
        )
    assert [type(result) for result in results] == [Outcome, FastpayError, Outcome]
    assert store.state.idempotency == {}
    assert store.state.books[TENANT].sequence == 4
    check_books(store)


def names_the_unwritable(changes: Changes) -> bool:
    """Refuse a customer of this name."""
    customers = [written.object for _, written in changes.versions if isinstance(written.object, Customer)]
    return any(customer.email == "unwritable" for customer in customers)


async def test_a_transient_failure_is_tried_again_and_takes_effect_once(pauses: list[float]) -> None:
    store = MemoryStore()
    store.failures = [TransientFailure("40001"), TransientFailure("40P01")]
    async with running(store) as writer:
        outcome = await writer.submit(submission(PAY, key="k"))
    assert outcome.answer.error is None
    assert (store.batches, len(pauses)) == (3, 2)
    check_books(store)


async def test_retries_are_bounded_grow_and_end_in_an_answer_with_nothing_kept(pauses: list[float]) -> None:
    store = MemoryStore()
    store.failures = [TransientFailure("57P01") for _ in range(limits.commit_attempts_max)]
    async with running(store) as writer:
        with pytest.raises(DatabaseUnavailable):
            await writer.submit(submission(PAY, key="k"))
        assert store.batches == limits.commit_attempts_max
        assert (store.state.events, store.state.idempotency) == ([], {})
        outcome = await writer.submit(submission(PAY, key="k"))
    assert outcome.original_request_id is None
    assert len(pauses) == limits.commit_attempts_max - 1
    for attempt, pause in enumerate(pauses, start=1):
        bound_ms = min(limits.commit_backoff_ms * 2**attempt, limits.commit_backoff_max_ms)
        assert bound_ms / 2 <= pause * 1000 <= bound_ms


async def test_an_unknown_outcome_is_never_tried_again() -> None:
    store = MemoryStore()
    store.lost = [UnknownOutcome()]
    async with running(store) as writer:
        with pytest.raises(DatabaseUnavailable):
            await writer.submit(submission(PAY, key="k"))
        assert store.batches == 1
        again = await writer.submit(submission(PAY, key="k"))
    assert again.original_request_id is not None
    check_books(store)


async def test_an_unknown_outcome_without_a_key_is_not_to_be_tried_again() -> None:
    store = MemoryStore()
    store.lost = [UnknownOutcome()]
    async with running(store) as writer:
        keyed = asyncio.create_task(writer.submit(submission(PAY, key="k")))
        bare = asyncio.create_task(writer.submit(submission(PAY)))
        # What was signed is no name that the client could give.
        once = msgspec.structs.replace(submission(PAY), signed="ab" * 32)
        signed = asyncio.create_task(writer.submit(once))
        with pytest.raises(OutcomeUnknown) as told:
            await bare
        with pytest.raises(DatabaseUnavailable) as asked:
            await keyed
        with pytest.raises(OutcomeUnknown):
            await signed
    assert store.batches == 1
    assert (told.value.retryable, asked.value.retryable) == (False, True)


async def test_a_fault_of_the_store_fails_its_batch_and_the_writer_lives_on() -> None:
    store = MemoryStore()
    store.lost = [ZeroDivisionError()]
    async with running(store) as writer:
        with pytest.raises(ZeroDivisionError):
            await writer.submit(submission(PAY))
        assert store.batches == 1
        await writer.submit(submission(PAY))


async def test_more_than_may_wait_is_refused_before_anything_is_begun(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "queued_commands_max", 3)
    store = MemoryStore()
    store.gate.clear()
    async with running(store) as writer:
        first = asyncio.create_task(writer.submit(submission(JOIN)))
        await asyncio.sleep(0.01)
        waiting = [asyncio.create_task(writer.submit(submission(JOIN))) for _ in range(3)]
        await asyncio.sleep(0)
        with pytest.raises(Overloaded):
            await writer.submit(submission(JOIN))
        store.gate.set()
        await asyncio.gather(first, *waiting)
    assert len(store.state.versions) == 4


@pytest.mark.parametrize("begun", [True, False])
async def test_a_caller_that_goes_away_takes_nothing_back(begun: bool) -> None:
    store = MemoryStore()
    store.gate.clear()
    async with running(store) as writer:
        if not begun:
            asyncio.create_task(writer.submit(submission(JOIN))).add_done_callback(lambda _: None)
            await asyncio.sleep(0.01)
        leaving = asyncio.create_task(writer.submit(submission(PAY, key="k")))
        await asyncio.sleep(0.01)
        leaving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leaving
        store.gate.set()
        again = await writer.submit(submission(PAY, key="k"))
    assert again.original_request_id is not None
    check_books(store)


async def test_closing_commits_what_waits_and_takes_nothing_more() -> None:
    store = MemoryStore()
    store.gate.clear()
    writer = Writer(store, clock=SystemClock(), batch_commands_max=2)
    writer.start()
    waiting = [asyncio.create_task(writer.submit(submission(JOIN))) for _ in range(5)]
    await asyncio.sleep(0)
    closing = asyncio.create_task(writer.close())
    await asyncio.sleep(0)
    with pytest.raises(Overloaded):
        await writer.submit(submission(JOIN))
    store.gate.set()
    await closing
    assert len([created(outcome) for outcome in await asyncio.gather(*waiting)]) == 5


async def test_tenants_of_one_batch_do_not_see_each_others_objects() -> None:
    store = MemoryStore()
    async with running(store) as writer:
        theirs = created(await writer.submit(submission(JOIN)))
        mine, stolen = await asyncio.gather(
            writer.submit(submission(UpdateCustomer(id=theirs, fields={"name": "Bob"}))),
            writer.submit(submission(UpdateCustomer(id=theirs, fields={"name": "Eve"}), scope=OTHER_TENANT)),
        )
        assert store.sizes[-1] == 1
    assert mine.answer.error is None
    assert stolen.answer.error is not None
    assert stolen.answer.error.status == 404
    assert {scope for scope, _ in store.state.versions} == {TENANT}
    check_books(store)


async def test_a_tenant_without_a_book_is_answered_and_its_neighbours_commit() -> None:
    store = MemoryStore(TENANT)
    async with running(store) as writer:
        nobody, somebody = await asyncio.gather(
            writer.submit(submission(JOIN, scope=OTHER_TENANT)),
            writer.submit(submission(JOIN)),
            return_exceptions=True,
        )
    assert isinstance(nobody, FastpayError)
    assert isinstance(somebody, Outcome)


async def test_a_currency_changed_in_the_same_batch_keeps_the_counters_of_its_accounts() -> None:
    store = MemoryStore()
    async with running(store) as writer:
        await writer.submit(submission(msgspec.structs.replace(PAY, currency="eur")))
        create = msgspec.structs.replace(PAY, confirm=False)
        intent = created(await writer.submit(submission(create)))
        results = await asyncio.gather(
            writer.submit(submission(UpdatePaymentIntent(id=intent, fields={"currency": "eur"}))),
            writer.submit(submission(ConfirmPaymentIntent(id=intent))),
        )
    assert [result.answer.error for result in results] == [None, None]
    check_books(store)
