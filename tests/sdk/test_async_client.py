"""The same life through the client's coroutines."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest
import stripe

from tests.support.servers import RunningServer
from tests.support.tenants import Tenant

pytestmark = [
    # The client hands httpx certificates and bodies in ways that newer versions advise against.
    pytest.mark.filterwarnings("ignore:.verify=<str>:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Use .content=:DeprecationWarning"),
]


@pytest.fixture
async def client(server: RunningServer, tenant: Tenant) -> AsyncIterator[stripe.StripeClient]:
    transport = stripe.HTTPXClient()
    yield stripe.StripeClient(
        tenant.secret, base_addresses={"api": server.url}, http_client=transport, max_network_retries=0
    )
    await transport.close_async()  # type: ignore[no-untyped-call]  # theirs


async def test_the_whole_life_of_a_payment(client: stripe.StripeClient) -> None:
    customer = await client.v1.customers.create_async({"name": "Ada"})
    intent = await client.v1.payment_intents.create_async(
        {"amount": 2000, "currency": "usd", "customer": customer.id, "capture_method": "manual"}
    )
    assert intent.status == "requires_payment_method"
    intent = await client.v1.payment_intents.confirm_async(intent.id, {"payment_method": "pm_card_visa"})
    assert intent.status == "requires_capture"
    intent = await client.v1.payment_intents.capture_async(intent.id, {"amount_to_capture": 1500})
    assert (intent.status, intent.amount_received) == ("succeeded", 1500)
    refund = await client.v1.refunds.create_async({"payment_intent": intent.id, "amount": 500})
    assert refund.status == "succeeded"
    shown = await client.v1.payment_intents.retrieve_async(
        intent.id, {"expand": ["customer", "latest_charge.balance_transaction"]}
    )
    assert isinstance(shown.customer, stripe.Customer)
    assert isinstance(shown.latest_charge, stripe.Charge)
    assert shown.latest_charge.amount_refunded == 500
    balance = await client.v1.balance.retrieve_async()
    assert balance.pending[0].amount == 1500 - 500


async def test_errors_are_the_same_exceptions(client: stripe.StripeClient) -> None:
    with pytest.raises(stripe.CardError) as declined:
        await client.v1.payment_intents.create_async(
            {
                "amount": 2000,
                "currency": "usd",
                "payment_method": "pm_card_chargeDeclinedInsufficientFunds",
                "confirm": True,
            }
        )
    assert declined.value.error is not None
    assert declined.value.error.decline_code == "insufficient_funds"
    with pytest.raises(stripe.InvalidRequestError) as missing:
        await client.v1.payment_intents.retrieve_async("pi_" + "0" * 32)
    assert (missing.value.http_status, missing.value.code) == (404, "resource_missing")


async def test_many_at_once_are_each_their_own(client: stripe.StripeClient) -> None:
    intents = await asyncio.gather(
        *(
            client.v1.payment_intents.create_async(
                {
                    "amount": 1000 + number,
                    "currency": "usd",
                    "payment_method": "pm_card_visa",
                    "confirm": True,
                }
            )
            for number in range(30)
        )
    )
    assert sorted(intent.amount for intent in intents) == list(range(1000, 1030))
    first = await client.v1.payment_intents.list_async({"limit": 7})
    listed = [intent async for intent in first.auto_paging_iter()]
    assert {intent.id for intent in listed} == {intent.id for intent in intents}
    assert len(listed) == 30


async def test_a_key_used_at_once_by_many_makes_one_payment(client: stripe.StripeClient) -> None:
    intents = await asyncio.gather(
        *(
            client.v1.payment_intents.create_async(
                {"amount": 1999, "currency": "usd", "payment_method": "pm_card_visa", "confirm": True},
                {"idempotency_key": "at once"},
            )
            for _ in range(100)
        )
    )
    assert len({intent.id for intent in intents}) == 1
    assert len((await client.v1.payment_intents.list_async()).data) == 1


async def test_a_wrong_key_is_an_authentication_error(
    server: RunningServer, connect: Callable[[str], stripe.StripeClient]
) -> None:
    with pytest.raises(stripe.AuthenticationError) as refused:
        await asyncio.to_thread(connect("sk_test_wrongwrongwrong").v1.balance.retrieve)
    assert refused.value.http_status == 401
