"""The kinds `stripe` and `localstripe` against real servers of the dialect."""

import httpx
import msgspec
import pytest

from fastpay.engine.processors.ports import Order
from tests.processors.conftest import NUMBER, TIMEOUT_MS, Upstream, authorization, card, follow_up
from tests.support.api import TRUST, ask

DECLINED = {"stripe": "4000000000000002", "localstripe": "4000000000000341"}


async def test_a_payment_is_taken_at_once_and_found_again(upstream: Upstream) -> None:
    order, outcome = await upstream.authorized()
    assert outcome.is_captured
    assert (outcome.amount, outcome.currency) == (1_999, "usd")
    assert await upstream.ask(order) == outcome
    # Also by who does not know when it was sent, or knows what the processor calls it.
    assert await upstream.ask(order, sent_s_ago=None) == outcome
    named = msgspec.structs.replace(order, processor_id=outcome.processor_id)
    assert await upstream.ask(named) == outcome


async def test_a_payment_is_reserved_and_captured(upstream: Upstream) -> None:
    order, reserved = await upstream.authorized(captures=False)
    assert not reserved.is_captured
    assert (reserved.amount, reserved.currency) == (1_999, "usd")
    capture = follow_up("capture", order, reserved)
    early = await upstream.ask(capture)
    assert early is not None
    assert early.status == "unknown"
    assert await upstream.ask(capture, sent_s_ago=130) is None
    outcome = await upstream.send(capture)
    assert (outcome.status, outcome.amount, outcome.is_captured) == ("approved", 1_999, True)
    assert await upstream.ask(capture) == outcome


async def test_a_part_is_captured(upstream: Upstream) -> None:
    order, reserved = await upstream.authorized(captures=False)
    # Only our reference says which payment it is.
    capture = follow_up("capture", order, amount=1_000)
    outcome = await upstream.send(capture)
    assert (outcome.status, outcome.amount, outcome.processor_id) == (
        "approved",
        1_000,
        reserved.processor_id,
    )
    assert await upstream.ask(capture) == outcome


async def test_a_payment_is_voided(upstream: Upstream) -> None:
    order, reserved = await upstream.authorized(captures=False)
    void = follow_up("void", order)
    assert await upstream.ask(void, sent_s_ago=130) is None
    outcome = await upstream.send(void)
    assert outcome.status == "approved"
    assert await upstream.ask(void) == outcome
    assert (await upstream.ask(follow_up("capture", order, reserved))).status == "refused"  # type: ignore[union-attr]
    found = await upstream.ask(order)
    assert found is not None
    assert found.status == "declined"


async def test_what_is_done_already_is_approved_and_nothing_else_is(upstream: Upstream) -> None:
    """An authorization that has expired at the processor can be canceled here."""
    for done, amount in (("void", 1_999), ("capture", 1_000)):
        order, reserved = await upstream.authorized(captures=False)
        first = await upstream.send(follow_up(done, order, reserved, amount=amount))
        again = await upstream.send(follow_up(done, order, reserved, amount=amount))
        assert again == first
        other = "capture" if done == "void" else "void"
        assert (await upstream.send(follow_up(other, order, reserved))).status == "refused"


async def test_refunds_are_found_by_their_own_references(upstream: Upstream) -> None:
    order, paid = await upstream.authorized()
    refunds = [follow_up("refund", order, paid, amount=amount) for amount in (300, 200)]
    assert await upstream.ask(refunds[0], sent_s_ago=130) is None
    first = await upstream.send(refunds[0])
    assert (first.status, first.amount, first.currency) == ("approved", 300, "usd")
    assert await upstream.ask(refunds[1], sent_s_ago=130) is None
    second = await upstream.send(refunds[1])
    for refund, outcome in zip(refunds, (first, second), strict=True):
        assert await upstream.ask(refund) == outcome
    assert first.processor_id != second.processor_id


async def test_a_decline_is_one_also_when_it_is_found(upstream: Upstream) -> None:
    order = authorization(card=card(DECLINED[upstream.kind]))
    outcome = await upstream.send(order)
    assert (outcome.status, outcome.code, outcome.retry) == ("declined", "card_declined", "other_card")
    found = await upstream.ask(order)
    assert found is not None
    assert (found.status, found.code) == ("declined", "card_declined")


async def test_what_was_never_sent_is_not_there_once_it_can_no_longer_arrive(upstream: Upstream) -> None:
    for order in (authorization(), follow_up("refund", authorization())):
        for sent_s_ago in (None, 0, 100):
            found = await upstream.ask(order, sent_s_ago=sent_s_ago)
            assert found is not None
            assert found.status == "unknown"
        assert await upstream.ask(order, sent_s_ago=130) is None
        assert await upstream.ask(order, sent_s_ago=11, arrival_s=10) is None


async def test_what_names_no_payment_of_the_processor_is_not_sent(upstream: Upstream) -> None:
    for operation in ("capture", "void", "refund"):
        outcome = await upstream.send(follow_up(operation, authorization()))
        assert outcome.status == "not_sent"


async def test_wrong_credentials_refuse_an_order_and_answer_no_inquiry(fastpay_upstream: Upstream) -> None:
    upstream = fastpay_upstream
    order, _ = await upstream.authorized()
    stranger = upstream.at(upstream.url, "sk_test_nobody")
    assert (await stranger.carry_out(authorization(), timeout_ms=TIMEOUT_MS)).status == "refused"
    old = msgspec.structs.replace(order, sent_ms=1)
    found = await stranger.inquire(old, timeout_ms=TIMEOUT_MS)
    assert found is not None
    assert found.status == "unknown"
    reason = await stranger.check(timeout_ms=TIMEOUT_MS)
    assert reason is not None
    assert "401" in reason


async def test_a_processor_that_works_is_told_from_one_that_does_not(upstream: Upstream) -> None:
    assert await upstream.processor.check(timeout_ms=TIMEOUT_MS) is None
    assert await upstream.at("http://127.0.0.1:1").check(timeout_ms=TIMEOUT_MS)


async def test_the_same_reference_is_charged_once(fastpay_upstream: Upstream) -> None:
    """As often as it is sent, since it is the idempotency key."""
    order, first = await fastpay_upstream.authorized()
    assert await fastpay_upstream.send(order) == first
    assert await fastpay_upstream.send(msgspec.structs.replace(order, amount=5)) != first
    other = await fastpay_upstream.send(msgspec.structs.replace(order, amount=5))
    # It is known there, so nobody may say that nothing has happened.
    assert other.status == "unknown"
    assert await fastpay_upstream.ask(order) == first
    assert len(_payments(fastpay_upstream)) == 1


async def test_what_a_payment_carries_is_passed_on(fastpay_upstream: Upstream) -> None:
    order, outcome = await fastpay_upstream.authorized(
        description="Order 7", statement_descriptor="SHOP", metadata={"order": "7"}
    )
    (payment,) = _payments(fastpay_upstream)
    assert payment["id"] == outcome.processor_id
    assert payment["description"] == "Order 7"
    assert payment["statement_descriptor_suffix"] == "SHOP"
    assert payment["metadata"] == {"order": "7", "fastpay_reference": order.reference}


async def test_a_token_pays_without_a_card(fastpay_upstream: Upstream) -> None:
    _, outcome = await fastpay_upstream.authorized(card=None, token="pm_card_visa")
    assert outcome.is_captured
    neither = Order(operation="authorize", reference="r", amount=1, currency="usd")
    assert (await fastpay_upstream.send(neither)).status == "refused"


@pytest.mark.parametrize("return_url", ["https://shop.example/back", None])
async def test_a_cardholder_authenticates_where_there_is_a_way_back(
    fastpay_upstream: Upstream, return_url: str | None
) -> None:
    order = authorization(card=card("4000002500003155"), return_url=return_url)
    outcome = await fastpay_upstream.send(order)
    if return_url is None:
        assert (outcome.status, outcome.code) == ("declined", "authentication_required")
        return
    assert outcome.status == "requires_action"
    assert outcome.redirect_url is not None
    assert outcome.redirect_url.startswith("http")
    path = f"/v1/test_helpers/payment_intents/{outcome.processor_id}/authenticate"
    auth = (fastpay_upstream.secret, "")
    async with httpx.AsyncClient(auth=auth, trust_env=False, verify=TRUST) as cardholder:
        done = await cardholder.post(fastpay_upstream.url + path)
    assert done.status_code == 200, done.text
    found = await fastpay_upstream.ask(msgspec.structs.replace(order, processor_id=outcome.processor_id))
    assert found is not None
    assert (found.status, found.is_captured) == ("approved", True)


async def test_the_time_of_an_order_that_is_looked_for_is_not_needed_to_the_second(
    fastpay_upstream: Upstream,
) -> None:
    """Clocks differ, and a request may have taken its time."""
    order, outcome = await fastpay_upstream.authorized()
    for sent_s_ago in (-200, 200):
        assert await fastpay_upstream.ask(order, sent_s_ago=sent_s_ago) == outcome


async def test_no_request_but_the_one_with_the_card_has_its_number(fastpay_upstream: Upstream) -> None:
    outcome = await fastpay_upstream.send(authorization(card=card("4242424242424241")))
    assert NUMBER[:15] not in repr(outcome)


def _payments(upstream: Upstream) -> list[dict[str, object]]:
    listed = ask(f"{upstream.url}/v1/payment_intents?limit=100", auth=(upstream.secret, ""))
    found: list[dict[str, object]] = listed.json()["data"]
    return found
