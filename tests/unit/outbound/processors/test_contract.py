"""fastpay/outbound/processors/contract.py: our own contract, and what is known after whatever is answered."""

import asyncio
import base64
import logging
from typing import Any

import msgspec
import pytest
from standardwebhooks import Webhook

from fastpay import limits
from fastpay.engine.processors.configuration_ports import Secrets
from fastpay.engine.processors.ports import CardData, Ignored, Notice, Order, Outcome
from fastpay.outbound.processors.calls import Calls
from fastpay.outbound.processors.contract import ContractProcessor
from fastpay.signing import sign_request
from tests.pages.blocks import block
from tests.unit.engine.hand_clock import HandClock
from tests.unit.outbound.http1.wires import REFUSED
from tests.unit.outbound.processors.services import (
    CVC,
    NUMBER,
    TIMEOUT_MS,
    Answer,
    Reply,
    authorization,
    follow_up,
    keep_connection,
    serving,
)

WEBHOOK_SECRET = "whsec_" + base64.b64encode(b"k" * 32).decode()
SECRETS = Secrets(secret="shared_secret", webhook_secret=WEBHOOK_SECRET)


@pytest.fixture(autouse=True, params=[False, True], ids=["a task", "no task"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have each test done twice: orders are sent with a wait, or without one."""
    in_a_task = ContractProcessor.carry_out

    async def without_a_wait(self: ContractProcessor, order: Order, *, timeout_ms: int) -> Outcome:
        done: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        try:
            await keep_connection(self._calls)
        except OSError:
            assert not self.send_nowait(order, done.set_result, timeout_ms=timeout_ms)
            return await in_a_task(self, order, timeout_ms=timeout_ms)
        assert self.send_nowait(order, done.set_result, timeout_ms=timeout_ms)
        known = await done
        assert self._calls._slots.in_flight == self._calls._client._slots.in_flight == 0
        return known

    if request.param:
        monkeypatch.setattr(ContractProcessor, "carry_out", without_a_wait)


def outcome(**fields: Any) -> dict[str, Any]:
    return {
        "status": "approved",
        "reference": "att_1",
        "id": "p1",
        "amount": 1_999,
        "currency": "usd",
        **fields,
    }


async def send(answer: Reply | Answer, **fields: Any) -> Outcome:
    async with serving(answer if callable(answer) else lambda _: answer) as (service, calls, _):
        processor = ContractProcessor(calls, SECRETS, f"{service.url}/base/")
        return await processor.carry_out(authorization(**fields), timeout_ms=TIMEOUT_MS)


async def ask(reply: Reply, *, is_late: bool = True) -> Outcome | None:
    async with serving(lambda _: reply) as (service, calls, clock):
        sent_ms = clock.now_ms() - (limits.processor_arrival_s * 1_000 if is_late else 0)
        processor = ContractProcessor(calls, SECRETS, f"{service.url}/base/")
        return await processor.inquire(authorization(card=None, sent_ms=sent_ms), timeout_ms=TIMEOUT_MS)


async def test_an_order_is_sent_as_the_contract_says_and_signed() -> None:
    order = follow_up("capture", description="d", metadata={"k": "v"}, return_url="https://a")
    async with serving(lambda _: (200, outcome(reference="att_2"))) as (service, calls, clock):
        processor = ContractProcessor(calls, SECRETS, f"{service.url}/base/")
        await processor.carry_out(order, timeout_ms=TIMEOUT_MS)
        await processor.inquire(order, timeout_ms=TIMEOUT_MS)
    sent, asked = service.asked
    assert (sent.method, sent.path) == ("POST", "/base/operations")
    assert msgspec.json.decode(sent.body) == {
        "operation": "capture",
        "reference": "att_2",
        "authorization": "att_1",
        "id": "pi_1",
        "amount": 1_999,
        "currency": "usd",
        "captures": True,
        "description": "d",
        "metadata": {"k": "v"},
        "return_url": "https://a",
    }
    assert sent.headers["idempotency-key"] == "att_2"
    assert (asked.method, asked.path) == ("GET", "/base/operations/att_2")
    for request, key in ((sent, "att_2"), (asked, None)):
        assert request.headers["fastpay-signature"] == sign_request(
            SECRETS.secret,
            request.method,
            request.path,
            request.body,
            idempotency_key=key,
            timestamp=clock.now_ms() // 1000,
        )


async def test_the_page_shows_what_is_sent_and_answered() -> None:
    order, answer = (msgspec.json.decode(block("json", text)) for text in ('"operation"', '"captured": true'))
    sent = authorization(
        reference=order["reference"],
        amount=order["amount"],
        currency=order["currency"],
        card=CardData(**order["card"]),
        description=order["description"],
        return_url=order["return_url"],
        metadata=order["metadata"],
    )
    async with serving(lambda _: (200, answer)) as (service, calls, _):
        processor = ContractProcessor(calls, SECRETS, service.url)
        known = await processor.carry_out(sent, timeout_ms=TIMEOUT_MS)
    assert msgspec.json.decode(service.asked[0].body) == order
    assert (known.status, known.amount, known.is_captured) == ("approved", order["amount"], True)


@pytest.mark.parametrize(
    "fields",
    [
        {"captured": True, "token": "tok_1"},
        {
            "status": "declined",
            "code": "card_declined",
            "decline_code": "x",
            "message": "m",
            "retry": "later",
        },
        {"status": "requires_action", "redirect_url": "https://a"},
        {"status": "pending"},
        {"status": "refused", "code": "resource_missing"},
        {"unknown_to_us": 5},
    ],
)
async def test_an_answer_is_an_outcome(fields: dict[str, Any]) -> None:
    said = outcome(**fields)
    known = await send((200, said))
    for name, ours in (("status", "status"), ("id", "processor_id"), ("captured", "is_captured")):
        assert getattr(known, ours) == said.get(name, False)
    for name in ("amount", "currency", "code", "decline_code", "message", "redirect_url", "token"):
        assert getattr(known, name) == said.get(name)
    assert known.retry == said.get("retry", "never")
    assert await ask((200, said)) == known


@pytest.mark.parametrize(
    "reply",
    [
        *(
            (200, body)
            for body in (b"", b"{}", b"[]", b"<html>", outcome(reference="att_9"), outcome(amount="1"))
        ),
        *((200, outcome(status=status)) for status in ("unknown", "not_sent", "other", None)),
        *((status, outcome()) for status in (201, 202, 302, 400, 409, 500)),
        *((status, b"<html>") for status in (400, 401, 404, 429, 502)),
        (404, {"status": "not_found"}),
        (500, {"status": "refused"}),
        None,
    ],
)
async def test_without_a_usable_answer_anything_may_have_happened(reply: Reply) -> None:
    known = await send(reply)
    assert known.status == "unknown"
    assert known.reason
    found = await ask(reply)
    assert found is not None
    assert found.status == "unknown"


@pytest.mark.parametrize(
    ("status", "retry"), [(400, "never"), (401, "never"), (422, "never"), (429, "later")]
)
async def test_a_refusal_says_that_nothing_was_done(status: int, retry: str) -> None:
    known = await send((status, {"status": "refused", "message": "No."}))
    assert (known.status, known.retry) == ("refused", retry)
    found = await ask((status, {"status": "refused"}))
    assert found is not None
    assert found.status == "unknown"


async def test_only_an_answer_about_our_reference_says_that_it_is_not_there() -> None:
    missing = {"status": "not_found", "reference": "att_1"}
    assert await ask((404, missing)) is None
    for reply, is_late in (
        ((404, missing), False),
        ((404, missing | {"reference": "b"}), True),
        ((410, missing), True),
    ):
        found = await ask(reply, is_late=is_late)
        assert found is not None
        assert found.status == "unknown"


async def test_whatever_is_no_answer_leaves_an_order_unknown_and_is_not_sent_again() -> None:
    async with serving(lambda _: wire) as (service, calls, _clock):
        processor = ContractProcessor(calls, SECRETS, service.url)
        for number, wire in enumerate(REFUSED.values(), 1):
            known = await processor.carry_out(authorization(), timeout_ms=TIMEOUT_MS)
            assert (known.status, len(service.asked)) == ("unknown", number), wire


async def test_a_fault_of_ours_says_nothing_of_what_the_processor_has_done(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    known: list[Outcome] = []
    async with serving(lambda _: (200, outcome())) as (service, calls, _):
        processor = ContractProcessor(calls, SECRETS, service.url)
        await keep_connection(calls)
        monkeypatch.setattr("fastpay.outbound.processors.contract._read", lambda _: [][int(NUMBER)])
        assert processor.send_nowait(authorization(), known.append, timeout_ms=TIMEOUT_MS)
        while not known:  # noqa: ASYNC110  it has no event
            await asyncio.sleep(0.001)
        assert (known[0].status, calls._slots.in_flight) == ("unknown", 0)
        # Nothing is sent that cannot be written, and the connection is given back.
        await keep_connection(calls)
        broken = authorization(metadata={"key": object()})
        with pytest.raises(TypeError):
            processor.send_nowait(broken, known.append, timeout_ms=TIMEOUT_MS)
        assert (calls._slots.in_flight, calls._client._slots.in_flight) == (0, 0)
    assert (len(known), len(service.asked)) == (1, 1)
    assert "processor_call_failed" in caplog.text
    assert NUMBER not in caplog.text


async def test_a_service_that_is_not_there_was_sent_nothing() -> None:
    async with serving(lambda _: None) as (_, calls, _clock):
        gone = Calls(calls._client, "http://127.0.0.1:1", clock=calls.clock)
        processor = ContractProcessor(gone, SECRETS, "http://127.0.0.1:1")
        assert (await processor.carry_out(authorization(), timeout_ms=TIMEOUT_MS)).status == "not_sent"
        found = await processor.inquire(authorization(), timeout_ms=TIMEOUT_MS)
        assert found is not None
        assert found.status == "unknown"
        assert await processor.check(timeout_ms=TIMEOUT_MS) is not None


def notice(headers: dict[str, str], body: bytes, *, later_s: int = 0) -> Notice | Ignored | None:
    clock: Any = HandClock()
    clock.advance_ms(later_s * 1_000)
    calls = Calls(None, "https://a", clock=clock)  # type: ignore[arg-type]
    return ContractProcessor(calls, SECRETS, "https://a").receive(headers, body)


def signed(body: bytes, identifier: str = "msg_1") -> dict[str, str]:
    """Return the headers that a library of others makes."""
    from datetime import UTC, datetime  # noqa: PLC0415

    moment = datetime.fromtimestamp(HandClock().now_ms() // 1000, UTC)
    signature = Webhook(WEBHOOK_SECRET).sign(identifier, moment, body.decode())
    time = str(HandClock().now_ms() // 1000)
    return {"webhook-id": identifier, "webhook-timestamp": time, "webhook-signature": signature}


BODY = msgspec.json.encode(outcome())


def test_a_webhook_that_is_signed_says_what_became_of_an_order() -> None:
    headers = signed(BODY)
    for later_s in (0, limits.signature_tolerance_s):
        found = notice(headers, BODY, later_s=later_s)
        assert isinstance(found, Notice)
        assert (found.id, found.reference) == ("msg_1", "att_1")
        assert (found.outcome.status, found.outcome.amount) == ("approved", 1_999)
    # During a rotation there are several.
    assert notice(headers | {"webhook-signature": "v1,AAAA " + headers["webhook-signature"]}, BODY)


def test_one_changed_character_anywhere_and_a_webhook_says_nothing() -> None:
    headers = signed(BODY)
    for name, value in headers.items():
        for changed in (
            "",
            value + "1",
            value[:-1],
            "1" + value,
            value.replace("1", "2", 1),
            "ä" + value,
            ".",
        ):
            assert notice(headers | {name: changed}, BODY) is None
        assert notice({key: kept for key, kept in headers.items() if key != name}, BODY) is None
    assert notice(headers, BODY + b" ") is None
    assert notice(headers, BODY, later_s=limits.signature_tolerance_s + 1) is None
    assert notice(headers, BODY, later_s=-limits.signature_tolerance_s - 1) is None
    # A full stop in it could stand for the one behind it.
    assert notice(signed(BODY, "msg.1"), BODY) is None
    for body in (b"", b"{}", msgspec.json.encode(outcome(status="unknown"))):
        assert notice(signed(body), body) == Ignored()


def test_a_webhook_secret_is_one_that_others_can_use() -> None:
    calls = Calls(None, "https://a", clock=HandClock())  # type: ignore[arg-type]
    for secret in ("whsec_", "whsec_!", "abc", "whsec_ä", "a" * 32):
        with pytest.raises(ValueError, match="whsec_ followed by base64") as refused:
            ContractProcessor(calls, Secrets(secret="s", webhook_secret=secret), "https://a")
        assert refused.value.__cause__ is None
    without = ContractProcessor(calls, Secrets(secret="s"), "https://a")
    assert not without.declaration.receives_webhooks
    assert without.receive(signed(BODY), BODY) is None


async def test_a_card_goes_into_the_body_and_nowhere_else(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    shown = []
    echo = {"message": f"{NUMBER} is wrong"}
    replies: list[Reply] = [
        *(None, (500, b""), (200, b"{}"), (400, {"status": "refused", **echo})),
        *((200, outcome(status="declined", **echo)), (200, outcome(reference=NUMBER))),
    ]
    for reply in replies:
        async with serving(lambda _, reply=reply: reply) as (service, calls, _):  # type: ignore[misc]
            processor = ContractProcessor(calls, SECRETS, service.url)
            shown.append(repr(await processor.carry_out(authorization(), timeout_ms=TIMEOUT_MS)))
        (asked,) = service.asked
        assert msgspec.json.decode(asked.body)["card"]["number"] == NUMBER
        assert NUMBER not in repr((asked.path, asked.query, asked.headers))
    told = "\n".join([*shown, *(f"{record.msg} {vars(record)}" for record in caplog.records)])
    for secret in (NUMBER, CVC, SECRETS.secret):
        assert secret not in told
