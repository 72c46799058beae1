"""fastpay/outbound/processors/dialect.py: webhooks of servers that speak the dialect."""

from typing import Any

import msgspec
import pytest

from fastpay import limits
from fastpay._native.signature import Signer, sign_webhook
from fastpay.engine.processors.configuration_ports import Secrets
from fastpay.engine.processors.ports import Ignored, Notice
from fastpay.outbound.processors.calls import Calls
from fastpay.outbound.processors.dialect import DialectProcessor
from tests.unit.engine.hand_clock import HandClock
from tests.unit.outbound.processors.services import (
    SECRETS,
    payment,
    refund,
    serving,
)


def notice(body: Any, *, secret: str = "whsec_secret", late_s: int = 0) -> Notice | Ignored | None:
    """Return what a signed webhook says."""
    clock: Any = HandClock()
    content = body if isinstance(body, bytes) else msgspec.json.encode(body)
    signature = sign_webhook((Signer(secret.encode()),), content, clock.now_ms() // 1000 - late_s)
    calls = Calls(None, "https://processor.example", clock=clock)  # type: ignore[arg-type]
    return DialectProcessor(calls, SECRETS).receive({"stripe-signature": signature}, content)


def event(kind: str, about: Any) -> dict[str, Any]:
    return {"id": "evt_1", "object": "event", "type": kind, "data": {"object": about}}


@pytest.mark.parametrize(
    ("kind", "about", "reference", "known"),
    [
        ("payment_intent.succeeded", payment(), "att_1", "approved"),
        ("payment_intent.amount_capturable_updated", payment(status="requires_capture"), "att_1", "approved"),
        ("payment_intent.processing", payment(status="processing"), "att_1", "pending"),
        ("payment_intent.canceled", payment(status="canceled"), "att_1", "declined"),
        (
            "payment_intent.payment_failed",
            payment(status="requires_payment_method", last_payment_error={"code": "card_declined"}),
            "att_1",
            "declined",
        ),
        ("payment_intent.succeeded", payment(metadata={}), None, "approved"),
        ("refund.created", refund(status="pending"), "att_2", "pending"),
        ("refund.updated", refund(), "att_2", "approved"),
        ("charge.refund.updated", refund(status="failed"), "att_2", "declined"),
    ],
)
def test_a_webhook_that_is_signed_says_what_became_of_an_order(
    kind: str, about: Any, reference: str | None, known: str
) -> None:
    found = notice(event(kind, about))
    assert isinstance(found, Notice)
    assert (found.id, found.reference, found.outcome.status) == ("evt_1", reference, known)


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"{", b"[]", {}, event("payment_intent.succeeded", {}), event("payment_intent.succeeded", 5)),
        # Nothing was confirmed yet when this happened, however late it comes.
        event("payment_intent.created", payment(status="requires_payment_method")),
        event("charge.succeeded", payment()),
        event("refund.updated", payment()),
    ],
)
def test_a_signed_webhook_that_says_nothing_of_an_order_is_ignored(body: Any) -> None:
    assert notice(body) == Ignored()
    assert notice(body, secret="whsec_other") is None


@pytest.mark.parametrize(
    "fields",
    [{"secret": "whsec_other"}, {"late_s": limits.signature_tolerance_s + 1}, {"late_s": -400}],
)
def test_a_webhook_that_is_not_signed_by_the_processor_now_is_none(fields: dict[str, Any]) -> None:
    good = event("payment_intent.succeeded", payment())
    assert notice(good) is not None
    assert notice(good, **fields) is None


async def test_without_a_webhook_secret_no_webhook_counts() -> None:
    async with serving(lambda _: None) as (_, calls, _clock):
        processor = DialectProcessor(calls, Secrets(secret="sk"))
        assert not processor.declaration.receives_webhooks
        for headers in ({}, {"stripe-signature": "t=1,v1=" + "0" * 64}, {"stripe-signature": "ä"}):
            assert processor.receive(headers, b"{}") is None
