"""The official client with a key that must sign: through requests, and through httpx without waiting."""

import asyncio
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import requests
import stripe

from fastpay.signing import RequestsAuth
from tests.pages.blocks import ADDRESS, block, run
from tests.support.servers import RunningServer
from tests.support.signers import SigningKey, make_signing_key


@pytest.fixture
def signing(server: RunningServer) -> SigningKey:
    """A key that must sign."""
    return make_signing_key(server)


@pytest.fixture
def session(signing: SigningKey) -> Iterator[requests.Session]:
    """A session of requests that signs."""
    with requests.Session() as session:
        session.auth = RequestsAuth(signing.secret)
        yield session


def connect(server: RunningServer, key: str, transport: stripe.HTTPClient) -> stripe.StripeClient:
    return stripe.StripeClient(
        key, base_addresses={"api": server.url}, http_client=transport, max_network_retries=0
    )


def pay(client: stripe.StripeClient) -> None:
    """Make a payment and look at it in ways that put much into addresses."""
    made = client.v1.payment_intents.create(
        {
            "amount": 500,
            "currency": "usd",
            "payment_method": "pm_card_visa",
            "confirm": True,
            "metadata": {"order (1)": "ä & b=c"},
        }
    )
    assert made.status == "succeeded"
    found = client.v1.payment_intents.retrieve(made.id, {"expand": ["latest_charge", "customer"]})
    assert found.metadata is not None
    assert found.metadata["order (1)"] == "ä & b=c"
    customer = client.v1.customers.create({"email": "a+b@example.com"})
    assert [one.id for one in client.v1.customers.list({"email": "a+b@example.com"}).data] == [customer.id]
    assert client.v1.customers.delete(customer.id).deleted


def test_through_requests(server: RunningServer, signing: SigningKey, session: requests.Session) -> None:
    pay(connect(server, signing.key, stripe.RequestsClient(session=session)))


@pytest.mark.filterwarnings("ignore:Use 'content=")  # theirs
@pytest.mark.usefixtures("signing_package")
def test_without_waiting_through_the_class_of_the_readme(server: RunningServer, signing: SigningKey) -> None:
    source = block("python", "class SigningClient").replace("fpss_...", signing.secret)
    names: dict[str, Any] = {}
    exec(source, names)

    async def work() -> list[bool]:
        transport = names["SigningClient"]()
        client = connect(server, signing.key, transport)
        made = await client.v1.customers.create_async({"email": "a+b@example.com", "name": "ä & b"})
        listed = await client.v1.customers.list_async({"email": "a+b@example.com", "created": {"gt": 1}})
        await transport.close_async()
        assert made.name == "ä & b"
        return [one.id == made.id for one in listed.data]

    assert asyncio.run(work()) == [True]


def test_without_a_signature_the_client_is_told_that_it_is_nobody(
    server: RunningServer, signing: SigningKey
) -> None:
    with requests.Session() as session:
        client = connect(server, signing.key, stripe.RequestsClient(session=session))
        with pytest.raises(stripe.AuthenticationError):
            client.v1.customers.create({"email": "a@example.com"})


@pytest.mark.usefixtures("signing_package")
def test_the_example_of_the_readme(server: RunningServer, signing: SigningKey) -> None:
    source = block("python", "HttpxAuth").replace(ADDRESS, server.url)
    source = source.replace("sk_test_...", signing.key).replace("fpss_...", signing.secret)
    assert run([sys.executable, "-c", source]) == "200 jenny@example.com\n"
