"""The kind `http` against the adapter of docs/examples, which is the contract in one file."""

import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from fastpay.clock import SystemClock
from fastpay.domain.processor_objects import Operation
from fastpay.engine.processors.configuration_ports import Secrets
from fastpay.engine.processors.ports import Order, Outcome
from fastpay.outbound.http import HttpClient
from fastpay.outbound.processors.calls import Calls
from fastpay.outbound.processors.contract import ContractProcessor
from tests.pages.blocks import ROOT
from tests.processors.conftest import TIMEOUT_MS, authorization, follow_up, setup_order
from tests.support.programs import listening
from tests.support.servers import clean_environment

EXAMPLE = ROOT / "docs/examples/processor_adapter.py"
SECRET = "a secret.of%both"


@pytest.fixture(scope="module")
def adapter_url(scratch: Path) -> Iterator[str]:
    def command(port: int) -> list[str]:
        return [sys.executable, str(EXAMPLE), str(port), str(scratch / "adapter.sqlite")]

    with listening(command, env=clean_environment(SECRET=SECRET)) as url:
        yield url


@pytest.fixture
async def processor(adapter_url: str, client: HttpClient) -> ContractProcessor:
    return at(adapter_url, client)


def at(url: str, client: HttpClient, secret: str = SECRET) -> ContractProcessor:
    calls = Calls(client, url, clock=SystemClock())
    return ContractProcessor(calls, Secrets(secret=secret), url)


async def send(processor: ContractProcessor, order: Order) -> Outcome:
    return await processor.carry_out(order, timeout_ms=TIMEOUT_MS)


async def ask(processor: ContractProcessor, order: Order, sent_s_ago: int = 0) -> Outcome | None:
    sent_ms = SystemClock().now_ms() - sent_s_ago * 1000
    asked = msgspec.structs.replace(order, sent_ms=sent_ms, card=None)
    return await processor.inquire(asked, timeout_ms=TIMEOUT_MS)


def test_the_example_is_written_in_an_afternoon() -> None:
    assert len(EXAMPLE.read_text(encoding="utf-8").splitlines()) < 150


async def test_each_operation_is_carried_out_once_and_found_again(processor: ContractProcessor) -> None:
    orders: list[Order] = [authorization(captures=False)]
    reserved = await send(processor, orders[0])
    assert (reserved.status, reserved.amount, reserved.is_captured) == ("approved", 1_999, False)
    # By what the processor calls the payment, or by our reference.
    orders.append(follow_up("capture", orders[0], reserved, amount=1_000))
    orders.append(follow_up("refund", orders[0], amount=700))
    found = [reserved, *[await send(processor, order) for order in orders[1:]]]
    assert [(one.status, one.amount) for one in found[1:]] == [("approved", 1_000), ("approved", 700)]
    for order, outcome in zip(orders, found, strict=True):
        assert await send(processor, order) == outcome
        assert await ask(processor, order) == outcome
    # What was repeated above has moved nothing.
    assert (await send(processor, follow_up("refund", orders[0], amount=300))).status == "approved"
    assert (await send(processor, follow_up("refund", orders[0], amount=1))).status == "refused"


async def test_a_payment_is_voided_once(processor: ContractProcessor) -> None:
    order = authorization(captures=False)
    await send(processor, order)
    assert (await send(processor, follow_up("void", order))).status == "approved"
    again: list[Operation] = ["void", "capture", "refund"]
    for operation in again:
        outcome = await send(processor, follow_up(operation, order))
        assert (outcome.status, outcome.code) == ("refused", "payment_intent_unexpected_state")


async def test_a_card_is_kept_without_a_payment(processor: ContractProcessor) -> None:
    order = setup_order()
    kept = await send(processor, order)
    assert (kept.status, kept.amount) == ("approved", None)
    assert kept.token is not None
    assert await send(processor, order) == kept == await ask(processor, order)
    assert (await send(processor, authorization(card=None, token=kept.token))).status == "approved"


async def test_a_decline_is_found_again(processor: ContractProcessor) -> None:
    order = authorization(amount=1_002)
    outcome = await send(processor, order)
    assert (outcome.status, outcome.decline_code) == ("declined", "insufficient_funds")
    assert await ask(processor, order) == outcome


async def test_what_never_came_is_not_there(processor: ContractProcessor) -> None:
    order = authorization()
    early = await ask(processor, order)
    assert early is not None
    assert early.status == "unknown"
    assert await ask(processor, order, sent_s_ago=130) is None
    assert (await send(processor, follow_up("capture", order))).code == "resource_missing"


@pytest.mark.parametrize("reference", ["a.b%c", "x/y?z#", "e f"])
async def test_any_reference_is_signed_and_found(processor: ContractProcessor, reference: str) -> None:
    order = msgspec.structs.replace(authorization(), reference=reference)
    outcome = await send(processor, order)
    assert outcome.status == "approved"
    assert await ask(processor, order) == outcome


async def test_without_the_secret_nothing_is_done(adapter_url: str, client: HttpClient) -> None:
    stranger = at(adapter_url, client, "another")
    order = authorization()
    assert (await send(stranger, order)).status == "refused"
    found = await ask(stranger, order, sent_s_ago=130)
    assert found is not None
    assert found.status == "unknown"
    assert "401" in str(await stranger.check(timeout_ms=TIMEOUT_MS))
    assert await at(adapter_url, client).check(timeout_ms=TIMEOUT_MS) is None
    assert await ask(at(adapter_url, client), order, sent_s_ago=130) is None
