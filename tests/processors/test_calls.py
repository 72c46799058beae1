"""Live payments on a real database: what requests are told and what the books say, whatever calls do."""

import asyncio
from typing import Any

import msgspec
import pytest

from fastpay import limits
from fastpay.domain.objects import PaymentIntent
from fastpay.engine.expiry import Expirer
from fastpay.engine.identity import IdentifierFactory
from fastpay.engine.ports import Outcome, Reply, Submission
from fastpay.engine.processors.janitor import AttemptJanitor
from fastpay.engine.processors.ports import Declaration, Order
from fastpay.engine.timed_commands import TimedCommands
from fastpay.engine.write.idempotency import submission_digest
from fastpay.errors import DatabaseUnavailable, FastpayError, KeyInUse, OutcomeUnknown, Overloaded
from fastpay.store.housekeeping import PostgresHousekeeping
from tests.support.engine import CLOCK, engine, make_tenant
from tests.support.fake_processor import (
    CARD_NUMBER,
    FakeProcessor,
    FakeProcessors,
    PromptFakeProcessor,
    saying,
)
from tests.support.live_shop import CARD, Shop, select, shop, until, until_async


@pytest.fixture(autouse=True, params=[FakeProcessor, PromptFakeProcessor], ids=["a task", "no task"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have each test done twice: calls are tasks, or need none."""
    monkeypatch.setattr(f"{__name__}.FakeProcessor", request.param)


def status_of(outcome: Outcome) -> str:
    """Return the status of the payment that an answer shows."""
    shown = outcome.objects[outcome.answer.object_id or ""].object
    assert isinstance(shown, PaymentIntent)
    return shown.status


async def test_an_approval_is_the_answer_and_costs_two_commits(database_url: str) -> None:
    processor = FakeProcessor()
    async with shop(database_url, acquirer=processor) as own:
        outcome = await own.pay(key="order")
        assert status_of(outcome) == "succeeded"
        (order,) = processor.orders
        assert order.reference == (await own.attempt()).id
        assert (order.amount, order.currency, order.captures) == (1000, "usd", True)
        assert order.card is CARD
        commits = await select(database_url, "select count(distinct xmin::text) as n from object_version")
        assert commits[0]["n"] == 2
        assert await own.in_doubt() == 0


async def test_the_processor_is_asked_after_the_attempt_is_committed(database_url: str) -> None:
    processor = FakeProcessor()
    seen: list[Any] = []

    async def look(order: Order) -> None:
        seen.extend(await select(database_url, "select attempt_id, held from attempt where status = 'open'"))

    processor.arrived = look
    async with shop(database_url, acquirer=processor) as own:
        await own.pay()
        assert [(row["attempt_id"].hex, row["held"]) for row in seen] == [
            (processor.orders[0].reference[-32:], 1000)
        ]


async def test_a_decline_is_the_answer_and_the_same_answer_again(database_url: str) -> None:
    processor = FakeProcessor()
    processor.outcome = saying("declined", code="card_declined", decline_code="lost_card", message="No.")
    async with shop(database_url, acquirer=processor) as own:
        first, again = await own.pay(key="order"), await own.pay(key="order")
        assert first.answer.error is not None
        assert (first.answer.error.code, first.answer.error.decline_code) == ("card_declined", "lost_card")
        assert again.answer == first.answer
        assert again.original_request_id is not None
        assert len(processor.orders) == 1
        assert processor.charged == {}


async def test_a_second_request_waits_its_turn_and_gets_the_final_answer(database_url: str) -> None:
    processor = FakeProcessor()
    processor.gate.clear()
    async with shop(database_url, acquirer=processor) as own, engine(database_url) as other:
        first = asyncio.create_task(own.pay(key="order"))
        await until(lambda: bool(processor.orders))
        second = await own.submission(await own.route(), key="order")
        for instance in (own.instance, other):
            with pytest.raises(KeyInUse) as refused:
                await instance.writer.submit(second)
            assert (refused.value.status, refused.value.retryable) == (409, True)
        processor.gate.set()
        answer = await first
        assert status_of(answer) == "succeeded"
        for instance in (own.instance, other, own.instance):
            again = await instance.writer.submit(second)
            assert again.answer == answer.answer
        assert len(processor.orders) == 1


async def test_who_has_waited_long_enough_is_told_processing_and_always_so(database_url: str) -> None:
    processor = FakeProcessor()
    processor.gate.clear()
    async with shop(database_url, wait_ms=50, acquirer=processor) as own:
        first = await own.pay(key="order")
        assert status_of(first) == "processing"
        processor.gate.set()
        await until_async(lambda: _has_ended(own))
        assert (await own.intent()).status == "succeeded"
        later = await own.submission(await own.route(), key="order")
        with pytest.raises(KeyInUse):
            await own.instance.writer.submit(later)
        margin_ms = limits.final_answer_margin_ms + 50
        for more_ms in (margin_ms + 1_000, margin_ms + 2_000):
            moved = msgspec.structs.replace(later, moment_ms=later.moment_ms + more_ms)
            replay = await own.instance.writer.submit(moved)
            assert replay.answer == first.answer
        assert len(processor.orders) == 1


async def test_a_client_that_leaves_changes_nothing(database_url: str) -> None:
    processor = FakeProcessor()
    processor.gate.clear()
    async with shop(database_url, acquirer=processor) as own:
        request = asyncio.create_task(own.pay(key="order"))
        await until(lambda: bool(processor.orders))
        request.cancel()
        await asyncio.gather(request, return_exceptions=True)
        processor.gate.set()
        await until_async(lambda: _has_ended(own))
        assert (await own.intent()).status == "succeeded"
        again = await own.instance.writer.submit(await own.submission(await own.route(), key="order"))
        assert again.original_request_id is not None
        assert again.answer.provisional_until_ms is None


@pytest.mark.parametrize("acts", [True, False])
async def test_an_answer_that_is_lost_is_inquired_and_charged_at_most_once(
    database_url: str, acts: bool
) -> None:
    processor = FakeProcessor()
    processor.acts, processor.answers = acts, False
    async with shop(database_url, acquirer=processor, second=FakeProcessor()) as own:
        assert status_of(await own.pay(key="order")) == "processing"
        assert await own.in_doubt() == 1000
        await own.janitor.survey()
        counts = own.janitor.counts()
        assert (counts["attempt_in_doubt"], counts["in_doubt_amount_usd"]) == (1, 1000)
        await until_async(own.janitor.inquire)
        await own.janitor.survey()
        counts = own.janitor.counts()
        assert (counts["attempt_in_doubt"], counts["in_doubt_amount_usd"]) == (0, 0)
        intent, attempt = await own.intent(), await own.attempt()
        assert intent.status == ("succeeded" if acts else "requires_payment_method")
        assert attempt.status == ("approved" if acts else "not_found")
        assert processor.charged == ({attempt.id: 1} if acts else {})
        assert len(processor.orders) == 1
        assert await own.in_doubt() == 0


async def test_a_silent_processor_fails_nothing_and_is_asked_ever_more_rarely(database_url: str) -> None:
    processor = FakeProcessor(Declaration(voids=False))
    processor.answers = processor.knows = False
    async with shop(database_url, acquirer=processor) as own:
        await own.pay()
        asked = 1 + len(limits.inquiry_factors)
        for number in range(1, asked + 1):
            await own.janitor.inquire()
            assert len(processor.inquiries) == number
            assert (await own.intent()).status == "processing"
            assert (await own.attempt()).status == ("open" if number < asked else "review")
        await own.janitor.inquire()
        assert len(processor.inquiries) == asked
        assert await own.in_doubt() == 1000


async def test_two_instances_ask_once(database_url: str) -> None:
    processor = FakeProcessor()
    processor.answers = processor.knows = False
    async with shop(database_url, acquirer=processor) as own, engine(database_url) as other:
        await own.pay()
        first, second = (
            AttemptJanitor(
                PostgresHousekeeping(one.pool),
                TimedCommands(one.writer, IdentifierFactory(CLOCK)),
                FakeProcessors(acquirer=processor),
                clock=CLOCK,
            )
            for one in (own.instance, other)
        )
        await asyncio.gather(first.inquire(), second.inquire(), first.inquire(), second.inquire())
        assert len(processor.inquiries) == 1


async def test_an_approval_of_another_amount_moves_nothing(database_url: str) -> None:
    processor = FakeProcessor()
    processor.outcome = saying("approved", amount=999, currency="usd", is_captured=True)
    async with shop(database_url, acquirer=processor) as own:
        assert status_of(await own.pay(key="order")) == "processing"
        assert (await own.attempt()).status == "review"
        assert await own.in_doubt() == 1000


async def test_a_call_that_raises_leaves_the_outcome_unknown(database_url: str) -> None:
    processor = FakeProcessor()

    async def fail(order: Order) -> None:
        raise ValueError(CARD_NUMBER)

    processor.arrived = fail
    async with shop(database_url, acquirer=processor) as own:
        assert status_of(await own.pay()) == "processing"
        assert (await own.attempt()).status == "open"
        assert own.calls.counts()["processor_unknown"] == 1


async def test_a_call_that_takes_too_long_fails_nothing(database_url: str) -> None:
    processor = FakeProcessor()
    processor.gate.clear()
    async with shop(database_url, timeout_ms=50, acquirer=processor) as own:
        assert status_of(await own.pay(key="order")) == "processing"
        assert (await own.attempt()).status == "open"
        assert await own.in_doubt() == 1000


async def test_a_stop_leaves_calls_to_the_janitor(database_url: str) -> None:
    processor = FakeProcessor()
    processor.gate.clear()
    async with shop(database_url, acquirer=processor) as own:
        request = asyncio.create_task(own.pay(key="order"))
        await until(lambda: bool(processor.orders))
        await own.calls.close()
        assert status_of(await request) == "processing"
        assert (await own.attempt()).status == "open"
        await own.janitor.inquire()
        assert (await own.intent()).status == "requires_payment_method"
        processor.gate.set()
        await asyncio.sleep(0.01)
        # What comes after the stop is not recorded.
        assert own.calls.counts()["processor_approved"] == 0


async def test_a_payment_that_waits_for_its_processor_is_no_debit_that_time_settles(
    database_url: str,
) -> None:
    processor = FakeProcessor()
    processor.gate.clear()
    async with shop(database_url, acquirer=processor) as own:
        request = asyncio.create_task(own.pay())
        await until(lambda: bool(processor.orders))
        assert (await own.intent()).status == "processing"
        periodic = Expirer(
            PostgresHousekeeping(own.instance.pool),
            own.instance.writer,
            clock=CLOCK,
            identifiers=IdentifierFactory(CLOCK),
        )
        assert await periodic.settle() == 0
        processor.gate.set()
        await request


async def test_too_many_calls_are_refused_before_anything_is_written(database_url: str) -> None:
    processor = FakeProcessor()
    processor.gate.clear()
    async with shop(database_url, calls_max=1, acquirer=processor) as own:
        request = asyncio.create_task(own.pay())
        await until(lambda: bool(processor.orders))
        with pytest.raises(Overloaded):
            await own.route()
        processor.gate.set()
        await request


async def test_a_tenant_whose_processor_hangs_leaves_room_for_others(database_url: str) -> None:
    processor = FakeProcessor()
    processor.gate.clear()
    async with shop(database_url, calls_max=10, acquirer=processor) as own:
        requests = []
        for count in range(1, 10):
            requests.append(asyncio.create_task(own.pay()))
            await until(lambda: len(processor.orders) == count)  # noqa: B023  it is awaited at once
        with pytest.raises(Overloaded, match="of your payments"):
            await own.route()
        other = await make_tenant(database_url, "another", livemode=True)
        assert await own.calls.route(other, amount=1000, currency="usd", method="card", card=CARD)
        processor.gate.set()
        assert {status_of(await one) for one in requests} == {"succeeded"}
        await until(lambda: own.calls.counts()["processor_calls"] == 0)
        await own.route()


@pytest.mark.parametrize("failure", [DatabaseUnavailable, OutcomeUnknown])
@pytest.mark.parametrize("is_queued", [True, False])
async def test_an_outcome_that_cannot_be_written_at_once_is_written_later(
    database_url: str, monkeypatch: pytest.MonkeyPatch, is_queued: bool, failure: type[FastpayError]
) -> None:
    processor = FakeProcessor()
    monkeypatch.setattr(limits, "record_retry_ms", 1)
    async with shop(database_url, acquirer=processor) as own:
        writer, failures = own.instance.writer, 3
        submit, put = writer.submit, writer.put

        async def fail(submission: Submission) -> Outcome:
            nonlocal failures
            if type(submission.command).__name__ == "RecordOutcome" and failures:
                failures -= 1
                raise failure("away")
            return await submit(submission)

        def fail_later(submission: Submission, reply: Reply) -> None:
            nonlocal failures
            if isinstance(reply, asyncio.Future):
                put(submission, reply)
                return
            failures -= 1
            if not is_queued:
                raise failure("away")
            asyncio.get_running_loop().call_soon(reply.set_exception, failure("away"))

        monkeypatch.setattr(writer, "submit", fail)
        monkeypatch.setattr(writer, "put", fail_later)
        # Its key's answer may have changed: the client has to ask.
        with pytest.raises(DatabaseUnavailable):
            await own.pay(key="order")
        await until_async(lambda: _has_ended(own))
        assert (await own.intent()).status == "succeeded"
        assert failures == 0


async def test_no_digest_is_amended_without_a_key(database_url: str) -> None:
    async with shop(database_url, acquirer=FakeProcessor()) as own:
        routed = await own.route()
        assert submission_digest(await own.submission(routed)) == b""
        assert "4242" not in repr(routed)
        assert status_of(await own.pay()) == "succeeded"


async def _has_ended(own: Shop) -> bool:
    return (await own.attempt()).hold is None
