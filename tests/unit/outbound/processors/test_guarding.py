"""fastpay/outbound/processors/guarding.py: what fails is left alone, and tried without money first."""

import asyncio
from collections.abc import Callable, Mapping

import pytest

from fastpay import limits
from fastpay.engine.dependencies import Dependency
from fastpay.engine.processors.ports import Declaration, Ignored, Notice, Order, Outcome, Status
from fastpay.outbound.processors.guarding import GuardedProcessor
from tests.unit.engine.hand_clock import HandClock
from tests.unit.outbound.processors.services import authorization

FAILURES = limits.relay_circuit_failures


class Processor:
    """Does what a test says, and notes what it was asked."""

    declaration = Declaration()

    def __init__(self) -> None:
        self.status: Status = "approved"
        self.fault: str | None = None
        self.asked: list[str] = []
        self.timeouts: list[int] = []
        self.hangs = False
        self.clock = HandClock()
        self.dependency = Dependency("processors", clock=self.clock, advice="look")
        self.part = self.dependency.part()
        shown = {"processor": "main", "url": "https://a"}
        self.guarded = GuardedProcessor(self, clock=self.clock, shown=shown, part=self.part)

    async def carry_out(self, order: Order, *, timeout_ms: int) -> Outcome:
        self.asked.append("order")
        self.timeouts.append(timeout_ms)
        if self.hangs:
            await asyncio.Event().wait()
        return Outcome(status=self.status, reason="because")

    async def inquire(self, order: Order, *, timeout_ms: int) -> Outcome | None:
        self.asked.append("inquiry")
        return None

    def receive(self, headers: Mapping[str, str], body: bytes) -> Notice | Ignored | None:
        self.asked.append("webhook")
        return None

    async def check(self, *, timeout_ms: int) -> str | None:
        self.asked.append("check")
        self.clock.advance_ms(1_000)
        return self.fault

    async def send(self, times: int = 1) -> str:
        outcomes: list[Outcome] = []
        for _ in range(times):
            if not self.guarded.send_nowait(authorization(), outcomes.append, timeout_ms=30_000):
                outcomes.append(await self.guarded.carry_out(authorization(), timeout_ms=30_000))
        return outcomes[-1].status

    async def open(self) -> None:
        """Fail until the circuit is open, and wait for its end."""
        self.status = "unknown"
        await self.send(FAILURES)
        self.clock.advance_ms(limits.relay_probe_ms)
        self.asked.clear()


class PromptProcessor(Processor):
    """Does the same without a wait."""

    def send_nowait(self, order: Order, done: Callable[[Outcome], None], *, timeout_ms: int) -> bool:
        if self.hangs:
            return False
        self.asked.append("order")
        self.timeouts.append(timeout_ms)
        done(Outcome(status=self.status, reason="because"))
        return True


@pytest.fixture(params=[Processor, PromptProcessor], ids=["a task", "no task"])
async def processor(request: pytest.FixtureRequest) -> Processor:
    made: Processor = request.param()
    return made


@pytest.mark.parametrize("status", ["not_sent", "unknown"])
async def test_after_failures_in_a_row_nothing_is_sent(
    processor: Processor, status: Status, caplog: pytest.LogCaptureFixture
) -> None:
    processor.status = status
    await processor.send(FAILURES - 1)
    processor.status = "declined"
    await processor.send()
    processor.status = status
    await processor.send(FAILURES)
    assert len(processor.asked) == 2 * FAILURES
    assert await processor.send(10) == "not_sent"
    assert len(processor.asked) == 2 * FAILURES
    assert caplog.text.count("processor_circuit_opened") == 1
    (logged,) = (one for one in caplog.records if one.name == "fastpay.processors")
    assert {"processor": "main", "reason": "because"}.items() <= vars(logged)["fields"].items()


@pytest.mark.parametrize("status", ["approved", "declined", "refused", "pending", "requires_action"])
async def test_whatever_the_processor_says_is_no_failure(processor: Processor, status: Status) -> None:
    processor.status = status
    assert await processor.send(3 * FAILURES) == status
    assert processor.asked == ["order"] * 3 * FAILURES


async def test_after_a_pause_it_is_asked_first_without_money(
    processor: Processor, caplog: pytest.LogCaptureFixture
) -> None:
    await processor.open()
    processor.fault = "still away"
    assert await processor.send(2) == "not_sent"
    assert processor.asked == ["check"]
    processor.clock.advance_ms(2 * limits.relay_probe_ms)
    processor.fault, processor.status = None, "approved"
    assert await processor.send() == "approved"
    assert processor.asked == ["check", "check", "order"]
    # What the question took is not there for the order.
    assert processor.timeouts[-1] == 29_000
    assert await processor.send() == "approved"
    assert processor.asked[3:] == ["order"]
    assert caplog.text.count("processor_circuit_closed") == 1


async def test_one_order_tries_it_while_the_others_are_not_sent(processor: Processor) -> None:
    await processor.open()
    processor.hangs = True
    first = asyncio.create_task(processor.send())
    await asyncio.sleep(0)
    assert await processor.send(5) == "not_sent"
    assert processor.asked == ["check", "order"]
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    # Nothing is known of it, so that the next one tries.
    processor.hangs, processor.status = False, "approved"
    assert await processor.send() == "approved"


async def test_a_processor_that_answers_and_does_not_work_is_left_alone_for_longer(
    processor: Processor,
) -> None:
    await processor.open()
    assert await processor.send() == "unknown"
    processor.clock.advance_ms(limits.relay_probe_ms)
    assert await processor.send() == "not_sent"
    # And never for long: payments are lost meanwhile.
    for _ in range(8):
        processor.clock.advance_ms(limits.processor_probe_max_ms * 11 // 10)
        assert await processor.send() == "unknown"
    assert processor.asked == ["check", "order"] * 9


async def test_inquiries_and_webhooks_always_pass(processor: Processor) -> None:
    await processor.open()
    await processor.guarded.inquire(authorization(), timeout_ms=1)
    processor.guarded.receive({}, b"")
    assert await processor.guarded.check(timeout_ms=1) is None
    assert processor.asked == ["inquiry", "webhook", "check"]


async def test_one_that_is_left_alone_is_lost_until_it_answers(processor: Processor) -> None:
    processor.status = "unknown"
    await processor.send(FAILURES - 1)
    assert processor.dependency.state() == {"status": "ok"}
    await processor.send()
    assert processor.dependency.state()["reason"] == "main at https://a: because"
    # Before the pause is over nobody asks it.
    await processor.guarded.probe()
    assert processor.asked == ["order"] * FAILURES
    processor.clock.advance_ms(limits.processor_probe_max_ms)
    processor.fault = "it says no"
    await processor.guarded.probe()
    assert processor.dependency.state()["reason"] == "main at https://a: it says no"
    processor.clock.advance_ms(limits.processor_probe_max_ms)
    processor.fault = None
    for _ in range(3):
        await processor.guarded.probe()
    assert processor.asked[FAILURES:] == ["check", "check"]
    assert processor.dependency.state() == {"status": "ok"}
    # An order shows whether it works.
    await processor.send()
    assert processor.dependency.state()["status"] == "lost"


async def test_an_order_that_succeeds_is_enough(processor: Processor) -> None:
    await processor.open()
    processor.status = "approved"
    await processor.send()
    assert processor.dependency.state() == {"status": "ok"}
    await processor.guarded.probe()
    assert processor.asked == ["check", "order"]


async def test_what_is_reported_of_a_part_that_was_discarded_changes_nothing(processor: Processor) -> None:
    await processor.open()
    processor.dependency.discard(processor.part)
    assert processor.dependency.state() == {"status": "ok"}
    await processor.send()
    assert processor.dependency.state() == {"status": "ok"}
