"""A client of the operator's listener, an administrator, and a payment to look at."""

from collections.abc import Iterator
from http.cookiejar import DefaultCookiePolicy

import httpx
import pytest

from tests.support.api import open_client
from tests.support.operators import SignedIn, join
from tests.support.servers import RunningServer
from tests.support.tenants import Tenant, make_tenant


@pytest.fixture(scope="package")
def http(server: RunningServer) -> Iterator[httpx.Client]:
    """A client of the operator's listener that says where its forms come from, and keeps no cookie."""
    url = server.admin_url
    with open_client(url, headers={"Origin": url}) as client:
        client.cookies.jar.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        yield client


@pytest.fixture(scope="package")
def tenant(server: RunningServer) -> Tenant:
    """A tenant with payments."""
    return make_tenant(server.database_url)


@pytest.fixture(scope="package")
def ada(http: httpx.Client, server: RunningServer) -> SignedIn:
    """An administrator."""
    return join(http, server)


@pytest.fixture
def payment(server: RunningServer, tenant: Tenant) -> dict[str, str]:
    """A payment that waits for its capture."""
    with open_client(server.url, tenant.secret) as api:
        made = api.post("/v1/payment_intents", data={
            "amount": "2500", "currency": "usd", "payment_method": "pm_card_visa", "confirm": "true",
            "capture_method": "manual", "payment_method_types[]": "card",
        })  # fmt: skip
    assert made.status_code == 200, made.text
    found: dict[str, str] = made.json()
    return found


@pytest.fixture
def other(server: RunningServer) -> Tenant:
    """A tenant that nobody else uses."""
    return make_tenant(server.database_url)
