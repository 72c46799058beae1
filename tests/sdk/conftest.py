"""Clients of the official SDK, each test with a tenant of its own on the server that all share."""

from collections.abc import Callable, Iterator

import pytest
import stripe

from tests.conftest import RunningServer
from tests.http.tenants import Tenant, make_tenant


@pytest.fixture
def tenant(server: RunningServer) -> Tenant:
    """A tenant that has done nothing yet."""
    return make_tenant(server.database_url)


@pytest.fixture
def connect(server: RunningServer) -> Iterator[Callable[[str], stripe.StripeClient]]:
    """A function that returns a client with this key."""
    transports: list[stripe.RequestsClient] = []

    def make(key: str) -> stripe.StripeClient:
        transport = stripe.RequestsClient()
        transports.append(transport)
        return stripe.StripeClient(
            key, base_addresses={"api": server.url}, http_client=transport, max_network_retries=0
        )

    yield make
    for transport in transports:
        transport.close()


@pytest.fixture
def client(tenant: Tenant, connect: Callable[[str], stripe.StripeClient]) -> stripe.StripeClient:
    """A client with the tenant's secret test key."""
    return connect(tenant.secret)
