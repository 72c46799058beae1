"""Live payments on a real database: which processor gets an order, and which never does."""

import asyncio
from datetime import UTC, datetime
from typing import Any, Literal, cast

import pytest

from fastpay import limits
from fastpay.domain.outcomes import RecordOutcome
from fastpay.domain.processor_objects import Attempt, Result
from fastpay.engine.processors.configuration_ports import Configured, Secrets
from fastpay.outbound.processors.making import ProcessorMaker
from tests.processors.test_calls import status_of
from tests.support.engine import CLOCK
from tests.support.fake_processor import FakeProcessor, PromptFakeProcessor, saying
from tests.support.live_shop import shop, until

SECRETS = Secrets(secret=f"whsec_{'a' * 32}")


@pytest.fixture(autouse=True, params=[FakeProcessor, PromptFakeProcessor], ids=["a task", "no task"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have each test done twice: calls are tasks, or need none."""
    monkeypatch.setattr(f"{__name__}.FakeProcessor", request.param)


async def test_an_order_that_was_held_up_for_long_is_not_sent_any_more(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The janitor counts from the beginning of the attempt until nothing can be on its way any more."""
    processor = FakeProcessor()
    async with shop(database_url, acquirer=processor) as own:
        # A database that was down tells of the commit when it is back.
        monkeypatch.setattr(own.calls, "_sending_ms", -1)
        late = await own.pay(key="order")
        assert (status_of(late), late.answer.error is not None) == ("requires_payment_method", True)
        assert ((await own.attempt()).status, processor.orders) == ("not_sent", [])
        assert await own.in_doubt() == 0
        monkeypatch.undo()
        assert status_of(await own.pay(key="another")) == "succeeded"
        assert len(processor.orders) == 1


@pytest.mark.parametrize("status", ["not_sent", "refused"])
async def test_another_processor_is_asked_only_if_the_first_did_nothing(
    database_url: str, status: str
) -> None:
    first, second = FakeProcessor(), FakeProcessor()
    first.outcome = saying(status)
    async with shop(database_url, first=first, second=second) as own:
        assert status_of(await own.pay(key="order")) == "succeeded"
        attempts = await own.objects(Attempt)
        assert sorted((one.processor, one.status) for one in attempts if isinstance(one, Attempt)) == [
            ("first", status),
            ("second", "approved"),
        ]
        assert first.orders[0].reference != second.orders[0].reference
        assert list(second.charged.values()) == [1]
        replay = await own.instance.writer.submit(await own.submission(await own.route(), key="order"))
        assert replay.answer.provisional_until_ms is None


@pytest.mark.parametrize("said", ["refused", "approved"])
async def test_nobody_else_is_asked_if_a_webhook_has_ended_the_attempt_first(
    database_url: str, said: Literal["refused", "approved"]
) -> None:
    """There is no next attempt then: what a second processor takes would be in no book."""
    first, second = FakeProcessor(), FakeProcessor()
    first.gate.clear()
    async with shop(database_url, first=first, second=second) as own:
        paying = asyncio.create_task(own.pay(key="order"))
        await until(lambda: bool(first.orders))
        (order,) = first.orders
        told = Result(status=said, amount=order.amount, currency=order.currency, is_captured=True)
        command = RecordOutcome(id=order.reference, result=told)
        await own.instance.writer.submit(own.instance.submission(command, own.scope))
        first.outcome = saying("refused")
        first.gate.set()
        await paying
        await until(lambda: not own.calls.counts()["processor_calls"])
        assert second.orders == []
        attempt = await own.attempt()
        assert (attempt.processor, attempt.status) == ("first", "review" if said == "approved" else said)
        if said == "approved":
            # Its answer contradicts it, so a person looks at it.
            assert (await own.intent()).status == "succeeded"


async def test_a_processor_that_hangs_is_left_alone_after_some_calls(database_url: str) -> None:
    """It is its circuit breaker that ends a call which is late, and not the one who waits."""

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(-1)
        writer.close()

    maker = ProcessorMaker(clock=CLOCK)
    async with await asyncio.start_server(hang, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        configured = Configured(
            name="acquirer",
            kind="http",
            url=url,
            secrets=SECRETS,
            is_enabled=True,
            is_default=True,
            created_at=datetime.now(UTC),
        )
        processor = maker.make(configured, SECRETS)
        async with shop(database_url, timeout_ms=50, acquirer=cast(Any, processor)) as own:
            for number in range(limits.relay_circuit_failures + 1):
                assert maker.failing() == ({processor} if number == limits.relay_circuit_failures else set())
                await own.pay()
            counts = own.calls.counts()
            assert (counts["processor_unknown"], counts["processor_not_sent"]) == (
                limits.relay_circuit_failures,
                1,
            )
        await maker.close()


async def test_nobody_else_is_asked_after_an_unknown_outcome_or_a_decline(database_url: str) -> None:
    first, second = FakeProcessor(), FakeProcessor()
    async with shop(database_url, first=first, second=second) as own:
        for outcome in (saying("unknown"), saying("pending"), saying("declined")):
            first.outcome = outcome
            await own.pay()
        assert (len(first.orders), len(second.orders)) == (3, 0)
