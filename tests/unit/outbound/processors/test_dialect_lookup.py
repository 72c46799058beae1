"""fastpay/outbound/processors/dialect_lookup.py: what an inquiry proves, and what it does not."""

import asyncio
from functools import partial
from typing import Any

import msgspec
import pytest

from fastpay import limits
from fastpay.engine.processors.ports import Order, Outcome
from fastpay.outbound.processors.dialect import DialectProcessor
from tests.unit.engine.hand_clock import HandClock
from tests.unit.outbound.processors.services import (
    SECRETS,
    TIMEOUT_MS,
    Answer,
    Asked,
    Reply,
    authorization,
    error,
    follow_up,
    page,
    payment,
    refund,
    serving,
)


async def ask(answer: Answer, order: Order | None = None, *, is_late: bool = True) -> Outcome | None:
    """Inquire about an order at a server with these answers."""
    async with serving(answer) as (_, calls, clock):
        sent_ms = clock.now_ms() - (limits.processor_arrival_s * 1_000 if is_late else 0)
        asked = msgspec.structs.replace(order or authorization(), sent_ms=sent_ms, card=None)
        return await DialectProcessor(calls, SECRETS).inquire(asked, timeout_ms=TIMEOUT_MS)


def searched(*found: Any, pages: Any = (), shown: Any = None) -> Answer:
    """Return a server with these results of a search, pages of the list, and this payment."""

    def answer(asked: Asked) -> Reply:
        if asked.path.endswith("/search"):
            assert asked.query["query"] == "metadata['fastpay_reference']:'att_1'"
            return 200, page(*found)
        if asked.path.endswith("/pi_1"):
            return 200, payment() if shown is None else shown
        after = asked.query.get("starting_after")
        shown_page: Reply = pages[0 if after is None else 1]
        return shown_page

    return answer


OTHER = payment(id="pi_8", metadata={})


@pytest.mark.parametrize(
    ("answer", "known"),
    [
        # A search finds it, and the payment itself says how it is.
        (searched(payment(status="processing")), "approved"),
        # The index is late: the list has it, on whatever page.
        (searched(pages=[(200, page(OTHER, has_more=True)), (200, page(payment()))]), "approved"),
        (searched(pages=[(200, page(OTHER, has_more=True)), (200, page(OTHER))]), None),
        (searched(OTHER, pages=[(200, page())]), None),
        # Neither is an answer that proves anything.
        (searched(payment(), payment(id="pi_2")), "unknown"),
        (searched(pages=[(200, page(payment(), payment(id="pi_2")))]), "unknown"),
        (searched(pages=[(200, page({"id": "pi_7"}))]), "unknown"),
        (searched(pages=[(200, {"data": 5})]), "unknown"),
        (searched(pages=[(200, b"<html>")]), "unknown"),
        (searched(pages=[(404, error())]), "unknown"),
        (searched(pages=[(401, error())]), "unknown"),
        (searched(pages=[(500, b"")]), "unknown"),
        (searched(pages=[None]), "unknown"),
        (searched(pages=[(200, page(OTHER, has_more=True)), (502, b"")]), "unknown"),
        # It always has more.
        (searched(pages=[(200, page(OTHER, has_more=True))] * 2), "unknown"),
        (searched(payment(), shown=b"{}"), "unknown"),
    ],
)
async def test_only_a_whole_list_proves_that_there_is_no_payment(answer: Answer, known: str | None) -> None:
    found = await ask(answer)
    assert (None if found is None else found.status) == known
    early = await ask(answer, is_late=False)
    assert early is not None
    assert early.status == ("unknown" if known is None else known)


@pytest.mark.parametrize(("cut", "known"), [(2, "approved"), (99, "unknown")])
async def test_a_read_whose_answer_is_lost_is_sent_again(cut: int, known: str) -> None:
    """A list of pages that are all lost at first is read to its end nevertheless."""
    pages = searched(pages=[(200, page(OTHER, has_more=True)), (200, page(payment()))])
    seen: dict[str, int] = {}

    def answer(asked: Asked) -> Reply:
        read = f"{asked.path} {asked.query.get('starting_after')}"
        seen[read] = seen.get(read, 0) + 1
        return None if seen[read] <= cut and not asked.path.endswith("/search") else pages(asked)

    found = await ask(answer)
    assert found is not None
    assert found.status == known
    # The client sends it again once itself, on a kept connection that has ended.
    assert 2 < max(seen.values()) <= 2 * limits.processor_read_tries


async def test_many_inquiries_at_a_server_without_searches_share_its_list() -> None:
    """Each would read all of it: a slow server would answer none in time, nor those that pay at it."""

    def answer(asked: Asked) -> Reply:
        assert asked.path.endswith("/payment_intents")
        return (
            (200, page(payment())) if "starting_after" in asked.query else (200, page(OTHER, has_more=True))
        )

    async with serving(answer) as (service, calls, clock):
        order = authorization(sent_ms=clock.now_ms() - limits.processor_arrival_s * 1_000, card=None)
        orders = [order, msgspec.structs.replace(order, reference="att_9")]
        processor = DialectProcessor(calls, SECRETS, is_basic=True)
        found = await asyncio.gather(
            *(processor.inquire(one, timeout_ms=TIMEOUT_MS) for one in orders * limits.inquiries_at_once_max)
        )
    assert {None if one is None else one.status for one in found[::2]} == {"approved"}
    assert {*found[1::2]} == {None}
    assert len(service.asked) == 2


async def test_a_list_that_was_begun_too_early_proves_nothing_at_its_end() -> None:
    """The order may have arrived after the page was read that would have it."""
    for is_basic in (False, True):
        async with serving(lambda _: (200, page(OTHER))) as (service, calls, clock):
            service.answer = partial(_answer_later, clock)
            order = authorization(sent_ms=clock.now_ms() + 1 - limits.processor_arrival_s * 1_000, card=None)
            processor = DialectProcessor(calls, SECRETS, is_basic=is_basic)
            found = await processor.inquire(order, timeout_ms=TIMEOUT_MS)
            assert found is not None
            assert found.status == "unknown"
            assert await processor.inquire(order, timeout_ms=TIMEOUT_MS) is None


def _answer_later(clock: HandClock, asked: Asked) -> Reply:
    if not asked.path.endswith("/search"):
        clock.advance_ms(1)
    return 200, page(OTHER)


async def test_the_list_is_that_of_the_time_by_whatever_clock() -> None:
    async with serving(searched(pages=[(200, page())])) as (service, calls, clock):
        order = authorization(sent_ms=clock.now_ms())
        await DialectProcessor(calls, SECRETS).inquire(order, timeout_ms=TIMEOUT_MS)
        named = authorization(sent_ms=None)
        await DialectProcessor(calls, SECRETS).inquire(named, timeout_ms=TIMEOUT_MS)
    _, of_a_time, _, of_all = [asked.query for asked in service.asked]
    sent_s = clock.now_ms() // 1000
    assert int(of_a_time["created[gte]"]) == sent_s - limits.processor_clock_skew_s
    latest_s = sent_s + limits.processor_arrival_s + limits.processor_clock_skew_s
    assert int(of_a_time["created[lte]"]) == latest_s
    assert set(of_all) == {"limit"}


async def test_a_search_that_fails_is_made_up_for_by_the_list() -> None:
    def answer(asked: Asked) -> Reply:
        return (503, error()) if asked.path.endswith("/search") else (200, page(payment()))

    found = await ask(answer)
    assert found is not None
    assert found.status == "approved"


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500])
async def test_an_inquiry_that_is_refused_says_nothing_of_the_order(status: int) -> None:
    for order in (authorization(processor_id="pi_1"), follow_up("capture"), follow_up("refund")):
        found = await ask(lambda _: (status, error()), order)
        assert found is not None
        assert found.status == "unknown"


@pytest.mark.parametrize(
    ("operation", "status", "known"),
    [
        *(("capture", "succeeded", "approved"), ("capture", "requires_capture", None)),
        *(("capture", "processing", "pending"), ("capture", "canceled", "refused")),
        *(
            ("void", "canceled", "approved"),
            ("void", "requires_capture", None),
            ("void", "succeeded", "refused"),
        ),
    ],
)
async def test_the_state_of_a_payment_says_what_was_done_to_it(
    operation: str, status: str, known: str | None
) -> None:
    found = await ask(lambda _: (200, payment(status=status)), follow_up(operation))
    assert (None if found is None else found.status) == known


async def test_a_refund_is_found_among_those_of_its_payment() -> None:
    def answer(asked: Asked) -> Reply:
        if asked.path.endswith("/pi_1"):
            return 200, payment()
        assert asked.query["payment_intent"] == "pi_1"
        is_first = "starting_after" not in asked.query
        return 200, page(refund(id="re_0", metadata={}), has_more=True) if is_first else page(refund())

    found = await ask(answer, follow_up("refund"))
    assert found is not None
    assert (found.status, found.processor_id) == ("approved", "re_1")
