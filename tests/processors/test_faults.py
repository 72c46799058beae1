"""After a request that was cut, delayed or repeated no more is known than what the upstream did."""

from typing import Any

import httpx
import msgspec
import pytest

from fastpay.domain.processor_objects import Operation
from fastpay.engine.processors.ports import Order, Outcome
from tests.processors.conftest import TIMEOUT_MS, Upstream, authorization, follow_up
from tests.support.api import TRUST
from tests.support.http_faults import ACTED, FAULTS, Fault, faulty_proxy

# An answer that is held does not come.
HELD_MS = 2_000
OPERATIONS: tuple[Operation, ...] = ("authorize", "capture", "void", "refund")


async def order_for(upstream: Upstream, operation: Operation) -> tuple[Order, str | None]:
    """Return an order of this kind, and the payment that it is about."""
    if operation == "authorize":
        return authorization(), None
    order, outcome = await upstream.authorized(captures=operation == "refund")
    return follow_up(operation, order, outcome), outcome.processor_id


async def listed(upstream: Upstream, path: str, **query: str) -> list[dict[str, Any]]:
    async with httpx.AsyncClient(auth=(upstream.secret, ""), trust_env=False, verify=TRUST) as client:
        found = await client.get(f"{upstream.url}/v1/{path}", params={"limit": "100", **query})
    return found.json()["data"]  # type: ignore[no-any-return]


async def times_done(upstream: Upstream, order: Order, payment_id: str | None) -> int:
    """Return how often an order was carried out, by the upstream's own books."""
    reference = {"fastpay_reference": order.reference}
    if order.operation == "authorize":
        payments = await listed(upstream, "payment_intents")
        return sum(one["metadata"] == reference and one["status"] == "succeeded" for one in payments)
    assert payment_id is not None
    if order.operation == "refund":
        refunds = await listed(upstream, "refunds", payment_intent=payment_id)
        return sum(one["metadata"] == reference for one in refunds)
    (payment,) = [one for one in await listed(upstream, "payment_intents") if one["id"] == payment_id]
    return int(payment["status"] == {"capture": "succeeded", "void": "canceled"}[order.operation])


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("fault", FAULTS)
async def test_an_outcome_is_what_the_books_of_the_upstream_say(
    upstream: Upstream, fault: Fault, operation: Operation
) -> None:
    order, payment_id = await order_for(upstream, operation)
    async with faulty_proxy(upstream.url, fault, spared="/v1/payment_methods") as proxy:
        outcome = await upstream.at(proxy.url).carry_out(order, timeout_ms=timeout_ms(fault))
        if fault in ACTED:
            await proxy.acted.wait()
    assert proxy.faults == 1
    done = await times_done(upstream, order, payment_id)
    assert outcome.status == ("approved" if fault == "repeats_request" else "unknown")
    assert (done > 0) == (fault in ACTED)
    has_keys = upstream.processor.declaration.idempotency is not None
    is_double = fault == "repeats_request" and not has_keys and operation in {"authorize", "refund"}
    assert done <= 1 + is_double
    found = await upstream.ask(order, sent_s_ago=130)
    assert status_of(found) == ("unknown" if is_double else "approved" if done else None)
    # An inquiry that comes early says the same, and never that there is nothing.
    early = await upstream.ask(order)
    assert status_of(early) == ("unknown" if is_double or not done else "approved")
    if has_keys and not is_double:
        # Sent again with its key, it is done once whatever has happened before.
        assert (await upstream.send(order)).status == "approved"
        assert await times_done(upstream, order, payment_id) == 1


async def test_what_never_had_a_connection_was_not_sent_and_is_not_there(upstream: Upstream) -> None:
    order = authorization()
    outcome = await upstream.at("http://127.0.0.1:1").carry_out(order, timeout_ms=TIMEOUT_MS)
    assert outcome.status == "not_sent"
    assert await times_done(upstream, order, None) == 0


async def test_a_card_that_was_not_kept_has_moved_no_money(upstream: Upstream) -> None:
    """At localstripe the card is sent first; whatever becomes of that, the payment was not sent."""
    if upstream.kind != "localstripe":
        return
    for fault in FAULTS[:-1]:
        order = authorization()
        async with faulty_proxy(upstream.url, fault, spared="/v1/payment_intents") as proxy:
            outcome = await upstream.at(proxy.url).carry_out(order, timeout_ms=timeout_ms(fault))
        assert outcome.status == "not_sent"
        assert await times_done(upstream, order, None) == 0


async def test_an_inquiry_that_is_cut_says_nothing(upstream: Upstream) -> None:
    order, _ = await upstream.authorized()
    for fault in FAULTS[:-1]:
        async with faulty_proxy(upstream.url, fault, spared="/v1/payment_methods") as proxy:
            asked = msgspec.structs.replace(order, sent_ms=1, card=None)
            found = await upstream.at(proxy.url).inquire(asked, timeout_ms=timeout_ms(fault))
        assert status_of(found) == "unknown"


def timeout_ms(fault: Fault) -> int:
    return HELD_MS if fault == "holds_answer" else TIMEOUT_MS


def status_of(outcome: Outcome | None) -> str | None:
    return None if outcome is None else outcome.status
