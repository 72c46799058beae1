"""fastpay/outbound/processors/dialect.py: what is known after whatever a server of the dialect answers."""

import asyncio
import logging
from typing import Any

import msgspec
import pytest

from fastpay import limits
from fastpay.engine.processors.ports import Order, Outcome
from fastpay.outbound.processors.calls import Calls
from fastpay.outbound.processors.dialect import DialectProcessor
from tests.unit.outbound.processors.services import (
    CVC,
    NUMBER,
    SECRETS,
    TIMEOUT_MS,
    Answer,
    Asked,
    Reply,
    authorization,
    error,
    follow_up,
    payment,
    refund,
    render,
    serving,
)


async def send(answer: Reply | Answer, order: Order | None = None) -> Outcome:
    """Carry out an order at a server with this answer."""
    async with serving(answer if callable(answer) else lambda _: answer) as (service, calls, _):
        outcome = await DialectProcessor(calls, SECRETS).carry_out(
            order or authorization(), timeout_ms=TIMEOUT_MS
        )
    assert [asked.path.startswith("/base/v1/") for asked in service.asked] == [True] * len(service.asked)
    return outcome


@pytest.mark.parametrize(
    ("fields", "known"),
    [
        ({}, ("approved", 1_999, True)),
        ({"amount_received": 1}, ("approved", 1, True)),
        ({"currency": "EUR"}, ("approved", 1_999, True)),
        ({"status": "requires_capture", "amount_capturable": 7}, ("approved", 7, False)),
        ({"status": "processing"}, ("pending", None, False)),
        ({"status": "requires_action"}, ("requires_action", None, False)),
        ({"status": "canceled"}, ("declined", None, False)),
        (
            {"status": "requires_payment_method", "last_payment_error": {"code": "x"}},
            ("declined", None, False),
        ),
        # Not confirmed, or not yet.
        ({"status": "requires_payment_method"}, ("unknown", None, False)),
        ({"status": "requires_confirmation"}, ("unknown", None, False)),
        ({"status": "of another time"}, ("unknown", None, False)),
    ],
)
async def test_a_payment_in_an_answer_is_an_outcome(fields: dict[str, Any], known: object) -> None:
    """Amounts and currencies are passed on as they are: the engine compares them."""
    outcome = await send((200, payment(**fields)))
    assert (outcome.status, outcome.amount, outcome.is_captured) == known
    if "last_payment_error" not in fields:
        assert outcome.currency == fields.get("currency", "usd").lower()


@pytest.mark.parametrize(
    "answer",
    [
        *((200, body) for body in (b"", b"{}", b"[]", b"null", b"<html>", b"\xff\xfe", b"[" * 100_000)),
        *(
            (200, payment(**fields))
            for fields in ({"amount": "1"}, {"amount": 1.5}, {"id": 1}, {"object": "x"})
        ),
        (200, payment(metadata={"fastpay_reference": "att_9"})),
        (200, payment(metadata=None)),
        (200, msgspec.json.encode(payment())[:-1]),
        *((status, payment()) for status in (201, 202, 204, 301, 302, 307, 500, 502, 503, 504, 599)),
        *((status, error()) for status in (500, 502, 503, 504)),
        # The page of a proxy says nothing of what is behind it.
        *((status, b"<html>Not here</html>") for status in (400, 402, 403, 404, 413, 429)),
        *((status, {}) for status in (400, 402, 404, 429)),
        # What is known there under this reference may have been done.
        (409, error(code="idempotency_key_in_use")),
        (400, error(type="idempotency_error")),
        b"",
        b"HTTP/1.1 200",
        b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{",
        b"SSH-2.0-other\r\n",
        None,
    ],
)
async def test_without_a_usable_answer_anything_may_have_happened(
    answer: Reply, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.unit.outbound.processors.test_dialect.TIMEOUT_MS", 300)
    for order in (authorization(), follow_up("capture"), follow_up("void"), follow_up("refund", amount=5)):
        outcome = await send(answer, order)
        if order.operation in {"capture", "void"} and answer in _FOREIGN:
            continue
        assert outcome.status == "unknown", (order.operation, outcome)
        assert outcome.reason


_FOREIGN = [(200, payment(metadata={"fastpay_reference": "att_9"})), (200, payment(metadata=None))]


@pytest.mark.parametrize(
    ("status", "fields", "known"),
    [
        (
            402,
            {"type": "card_error", "code": "card_declined", "decline_code": "generic_decline"},
            "other_card",
        ),
        (402, {"code": "card_declined", "decline_code": "insufficient_funds"}, "other_card"),
        (402, {"code": "card_declined", "decline_code": "fraudulent"}, "never"),
        (402, {"code": "card_declined", "decline_code": "try_again_later"}, "later"),
        (402, {"code": "processing_error"}, "later"),
        (402, {}, "other_card"),
    ],
)
async def test_a_decline_says_who_may_try_again(status: int, fields: dict[str, Any], known: str) -> None:
    outcome = await send((status, error(**fields, payment_intent={"id": "pi_7"})))
    assert (outcome.status, outcome.retry, outcome.processor_id) == ("declined", known, "pi_7")
    assert outcome.code == fields.get("code", "card_declined")
    assert outcome.decline_code == fields.get("decline_code")
    assert outcome.message == "No."


@pytest.mark.parametrize(
    ("status", "retry"), [(400, "never"), (401, "never"), (403, "never"), (404, "never"), (429, "later")]
)
async def test_an_error_of_the_dialect_says_that_nothing_was_done(status: int, retry: str) -> None:
    for order in (authorization(), follow_up("capture"), follow_up("void"), follow_up("refund")):
        outcome = await send((status, error(code="some_code")), order)
        assert (outcome.status, outcome.code, outcome.retry) == ("refused", "some_code", retry)
        assert str(status) in outcome.reason


async def test_an_answer_about_another_payment_is_none() -> None:
    for metadata in (None, {}, {"fastpay_reference": "att_9"}):
        outcome = await send((200, refund(metadata=metadata)), follow_up("refund", amount=5))
        assert outcome.status == "unknown"
    for order in (follow_up("capture"), follow_up("void")):
        assert (await send((200, payment(id="pi_9", status="canceled")), order)).status == "unknown"
    for status in ("requires_capture", "processing of another time"):
        assert (await send((200, payment(status=status)), follow_up("void"))).status == "unknown"


@pytest.mark.parametrize(
    ("status", "known"),
    [
        *(("succeeded", "approved"), ("pending", "pending"), ("requires_action", "pending")),
        *(("failed", "declined"), ("canceled", "declined"), ("other", "unknown")),
    ],
)
async def test_a_refund_in_an_answer_is_an_outcome(status: str, known: str) -> None:
    outcome = await send((200, refund(status=status)), follow_up("refund", amount=5))
    assert (outcome.status, outcome.processor_id, outcome.amount) == (known, "re_1", 5)


async def test_a_service_that_is_not_there_was_sent_nothing() -> None:
    async with serving(lambda _: None) as (service, calls, _):
        pass
    gone = DialectProcessor(Calls(calls._client, service.url, clock=calls.clock), SECRETS)
    for order in (authorization(), follow_up("capture"), follow_up("capture", processor_id=None)):
        assert (await gone.carry_out(order, timeout_ms=TIMEOUT_MS)).status == "not_sent"
        asked = await gone.inquire(order, timeout_ms=TIMEOUT_MS)
        assert asked is not None
        assert asked.status == "unknown"
    await calls._client.close()


async def test_no_time_left_is_not_sent() -> None:
    async with serving(lambda _: (200, payment())) as (service, calls, _):
        processor = DialectProcessor(calls, SECRETS)
        assert (await processor.carry_out(authorization(), timeout_ms=0)).status == "not_sent"
        assert service.asked == []


async def test_only_so_many_requests_are_in_flight_and_the_others_were_not_sent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "processor_requests_max", 1)
    arrived = asyncio.Event()

    def never(_: Asked) -> bytes:
        arrived.set()
        return b""

    async with serving(never) as (service, calls, _):
        processor = DialectProcessor(calls, SECRETS)
        # It is in flight until it is given up.
        first = asyncio.create_task(processor.carry_out(authorization(), timeout_ms=600_000))
        await arrived.wait()
        others = [await processor.carry_out(authorization(), timeout_ms=20) for _ in range(2)]
        assert [outcome.status for outcome in others] == ["not_sent", "not_sent"]
        assert len(service.asked) == 1
        first.cancel()
        await asyncio.wait([first])
        assert (await processor.carry_out(authorization(), timeout_ms=300)).status == "unknown"
        assert len(service.asked) == 2


@pytest.mark.parametrize("is_basic", [False, True])
async def test_a_card_goes_into_the_body_and_nowhere_else(
    caplog: pytest.LogCaptureFixture, is_basic: bool
) -> None:
    """Neither into texts of a processor's failures nor into the log, whatever the service says of it."""
    caplog.set_level(logging.DEBUG)
    shown = []
    echo = error(message=f"{NUMBER} or {NUMBER[:4]}-{NUMBER[4:]} is wrong", code="incorrect_number")
    for reply in (None, b"", b"HTTP/1.1 nonsense", (500, b""), (400, echo), (200, b"{}"), (402, echo)):
        async with serving(lambda _, reply=reply: reply) as (service, calls, _):  # type: ignore[misc]
            processor = DialectProcessor(calls, SECRETS, is_basic=is_basic)
            order = authorization()
            shown += [repr(await processor.carry_out(order, timeout_ms=300)), repr(order), str(order)]
        (asked,) = service.asked
        assert NUMBER in asked.form.values()
        assert CVC in asked.form.values()
        assert NUMBER not in repr((asked.path, asked.query, asked.headers))
    told = "\n".join([*shown, *(f"{record.msg} {vars(record)}" for record in caplog.records)])
    for secret in (NUMBER, CVC, SECRETS.secret):
        assert secret not in told


async def test_an_answer_that_is_too_long_is_none() -> None:
    body = msgspec.json.encode(payment(description="x" * (limits.processor_answer_bytes_max + 1)))
    assert (await send(render(200, body))).status == "unknown"
