"""Captures, voids and refunds of live payments on a real database, whatever the calls to processors do."""

import asyncio
from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec
import pytest

from fastpay import limits
from fastpay.domain.captures import CancelPaymentIntent, CapturePaymentIntent
from fastpay.domain.objects import PaymentIntent, Refund
from fastpay.domain.refunds import CreateRefund
from fastpay.engine.ports import Outcome
from fastpay.engine.processors.ports import Order
from fastpay.errors import KeyInUse, Overloaded
from fastpay.store.connections import connected
from tests.support.fake_processor import FakeProcessor, saying
from tests.support.live_shop import Shop, select, shop, until, until_async


class FollowUp(NamedTuple):
    """What is done to a payment, what it is then, and what it is if its processor has not done it."""

    operation: str
    make: Callable[[str], Any]
    done: str
    not_done: str

    @property
    def waiting(self) -> str:
        """What it is while that is not known."""
        return "pending" if self.operation == "refund" else "processing"


EACH = (
    FollowUp("capture", lambda payment: CapturePaymentIntent(id=payment), "succeeded", "requires_capture"),
    FollowUp("void", lambda payment: CancelPaymentIntent(id=payment), "canceled", "requires_capture"),
    FollowUp("refund", lambda payment: CreateRefund(payment_intent=payment), "succeeded", "failed"),
)
each = pytest.mark.parametrize("asked", EACH, ids=[one.operation for one in EACH])


async def begin(own: Shop, asked: FollowUp) -> Any:
    """Pay, or authorize, and return the command that follows."""
    method = "automatic" if asked.operation == "refund" else "manual"
    paid = await own.pay(capture_method=method)
    assert paid.answer.error is None
    assert paid.answer.object_id is not None
    return asked.make(paid.answer.object_id)


def status_of(outcome: Outcome) -> str:
    """Return the status that an answer shows."""
    shown = outcome.objects[outcome.answer.object_id or ""].object
    assert isinstance(shown, PaymentIntent | Refund)
    return shown.status


async def status_in(own: Shop, asked: FollowUp) -> str:
    """Return the status that is stored."""
    if asked.operation != "refund":
        return (await own.intent()).status
    (found,) = await own.objects(Refund)
    assert isinstance(found, Refund)
    return found.status


def others(processor: FakeProcessor) -> list[Order]:
    """Return all orders but authorizations."""
    return [order for order in processor.orders if order.operation != "authorize"]


@each
async def test_an_approval_is_the_answer_and_the_same_answer_again(
    database_url: str, asked: FollowUp
) -> None:
    processor = FakeProcessor()
    async with shop(database_url, acquirer=processor) as own:
        command = await begin(own, asked)
        first, again = await own.follow_up(command, key="k"), await own.follow_up(command, key="k")
        assert status_of(first) == asked.done
        assert again.answer == first.answer
        assert again.original_request_id is not None
        (order,) = others(processor)
        authorized = await own.attempt()
        assert (order.operation, order.amount, order.card) == (asked.operation, 1000, None)
        assert (order.authorization, order.processor_id) == (authorized.id, "theirs")
        assert order.reference == (await own.attempt(asked.operation)).id
        commits = await select(database_url, "select count(distinct xmin::text) as n from object_version")
        assert commits[0]["n"] == 4
        assert await own.in_doubt() == 0


@each
async def test_the_processor_is_asked_after_the_attempt_is_committed(
    database_url: str, asked: FollowUp
) -> None:
    processor = FakeProcessor()
    seen: list[Any] = []

    async def look(order: Order) -> None:
        rows = "select attempt_id, held, operation from attempt where status = 'open'"
        seen.extend(await select(database_url, rows))

    async with shop(database_url, acquirer=processor) as own:
        command = await begin(own, asked)
        processor.arrived = look
        await own.follow_up(command)
        (order,) = others(processor)
        assert [(row["attempt_id"].hex, row["held"], row["operation"]) for row in seen] == [
            (order.reference[-32:], 1000, asked.operation)
        ]


@each
@pytest.mark.parametrize("acts", [True, False])
async def test_an_answer_that_is_lost_is_inquired_and_carried_out_at_most_once(
    database_url: str, asked: FollowUp, acts: bool
) -> None:
    processor = FakeProcessor()
    async with shop(database_url, acquirer=processor, second=FakeProcessor()) as own:
        command = await begin(own, asked)
        processor.acts, processor.answers = acts, False
        assert status_of(await own.follow_up(command)) == asked.waiting
        assert await own.in_doubt() == 1000
        # Nobody may do it again, or something else, before that is known.
        again = await own.follow_up(command)
        assert again.answer.error is not None
        await until_async(own.janitor.inquire)
        assert await status_in(own, asked) == (asked.done if acts else asked.not_done)
        (order,) = others(processor)
        assert (order.reference in processor.charged) == acts
        (inquiry,) = processor.inquiries
        assert msgspec.structs.replace(inquiry, sent_ms=None) == msgspec.structs.replace(order, sent_ms=None)
        assert (await own.attempt(asked.operation)).status == ("approved" if acts else "not_found")
        assert await own.in_doubt() == 0


@each
async def test_a_call_that_takes_too_long_fails_nothing(database_url: str, asked: FollowUp) -> None:
    processor = FakeProcessor()
    async with shop(database_url, timeout_ms=500, acquirer=processor) as own:
        command = await begin(own, asked)
        processor.gate.clear()
        assert status_of(await own.follow_up(command)) == asked.waiting
        assert (await own.attempt(asked.operation)).status == "open"
        assert await own.in_doubt() == 1000


@each
@pytest.mark.parametrize("status", ["declined", "refused", "not_sent"])
async def test_what_was_not_done_is_the_answer_and_nobody_else_is_asked(
    database_url: str, asked: FollowUp, status: str
) -> None:
    first, second = FakeProcessor(), FakeProcessor()
    async with shop(database_url, first=first, second=second) as own:
        command = await begin(own, asked)
        first.outcome = saying(status)
        answer, again = await own.follow_up(command, key="k"), await own.follow_up(command, key="k")
        assert again.answer == answer.answer
        if asked.operation == "refund":
            assert status_of(answer) == "failed"
        else:
            assert answer.answer.error is not None
            assert answer.answer.error.status == 402
        assert await status_in(own, asked) == asked.not_done
        assert (len(others(first)), second.orders) == (1, [])
        assert await own.in_doubt() == 0


@each
async def test_another_request_with_the_key_waits_its_turn(database_url: str, asked: FollowUp) -> None:
    processor = FakeProcessor()
    async with shop(database_url, acquirer=processor) as own:
        command = await begin(own, asked)
        processor.gate.clear()
        first = asyncio.create_task(own.follow_up(command, key="k"))
        await until(lambda: bool(others(processor)))
        with pytest.raises(KeyInUse):
            await own.follow_up(command, key="k")
        processor.gate.set()
        answer = await first
        assert (await own.follow_up(command, key="k")).answer == answer.answer
        assert len(others(processor)) == 1


@each
async def test_a_stop_leaves_calls_to_the_janitor(database_url: str, asked: FollowUp) -> None:
    processor = FakeProcessor()
    async with shop(database_url, acquirer=processor) as own:
        command = await begin(own, asked)
        processor.gate.clear()
        request = asyncio.create_task(own.follow_up(command))
        await until(lambda: bool(others(processor)))
        await own.calls.close()
        assert status_of(await request) == asked.waiting
        await own.janitor.inquire()
        assert await status_in(own, asked) == asked.not_done


async def test_of_a_capture_and_a_cancellation_at_once_one_is_carried_out(database_url: str) -> None:
    processor = FakeProcessor()
    async with shop(database_url, acquirer=processor) as own:
        capture = await begin(own, EACH[0])
        both = await asyncio.gather(
            own.follow_up(capture), own.follow_up(CancelPaymentIntent(id=capture.id)), own.follow_up(capture)
        )
        refused = [one.answer.error.code for one in both if one.answer.error is not None]
        assert refused == ["payment_intent_unexpected_state"] * 2
        assert len(others(processor)) == 1
        assert await own.in_doubt() == 0


async def test_refunds_at_once_never_exceed_the_payment(database_url: str) -> None:
    processor = FakeProcessor()
    async with shop(database_url, acquirer=processor) as own:
        whole = await begin(own, EACH[2])
        processor.acts = processor.answers = False
        part = msgspec.structs.replace(whole, amount=600)
        answers = await asyncio.gather(*(own.follow_up(part) for _ in range(3)))
        refused = [one.answer.error.code for one in answers if one.answer.error is not None]
        assert refused == ["amount_too_large"] * 2
        assert (len(others(processor)), await own.in_doubt()) == (1, 600)
        await until_async(own.janitor.inquire)
        # What was not done counts no more.
        processor.acts = processor.answers = True
        assert status_of(await own.follow_up(whole)) == "succeeded"
        assert await own.in_doubt() == 0


async def test_verification_ties_pending_refunds_to_what_is_in_doubt(database_url: str) -> None:
    processor = FakeProcessor()
    async with shop(database_url, acquirer=processor) as own:
        command = await begin(own, EACH[2])
        processor.answers = False
        await own.follow_up(command)

        async def problems(status: str) -> list[str]:
            async with connected(database_url) as connection:
                await connection.execute("update refund set status = $1", status)
            found = await own.instance.reads.verify(own.scope)
            return [str(one) for one in found.problems]

        assert await problems("pending") == []
        (problem,) = await problems("succeeded")
        assert "refunds in doubt" in problem
        assert await problems("pending") == []


async def test_too_many_calls_are_refused_before_anything_is_written(database_url: str) -> None:
    processor = FakeProcessor()
    async with shop(database_url, calls_max=1, acquirer=processor) as own:
        command = await begin(own, EACH[0])
        processor.gate.clear()
        request = asyncio.create_task(own.pay())
        await until(lambda: len(processor.orders) == 2)
        with pytest.raises(Overloaded):
            await own.follow_up(command)
        processor.gate.set()
        await request
        assert {one.status for one in await own.objects(PaymentIntent)} == {"requires_capture", "succeeded"}


async def test_a_processor_that_is_gone_leaves_it_in_doubt(database_url: str) -> None:
    processor = FakeProcessor()
    async with shop(database_url, acquirer=processor) as own:
        command = await begin(own, EACH[0])
        del own.processors.named_ones["acquirer"]
        assert status_of(await own.follow_up(command)) == "processing"
        for _ in range(1 + len(limits.inquiry_factors)):
            await own.janitor.inquire()
        assert (await own.attempt("capture")).status == "review"
        assert await own.in_doubt() == 1000
