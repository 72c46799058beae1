"""Clients of the official SDK, each test with a tenant of its own on the server that all share."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import stripe

from tests.support.packages import npm_modules
from tests.support.servers import RunningServer
from tests.support.tenants import Tenant, make_tenant

HERE = Path(__file__).parent / "node"


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
        transport.close()  # type: ignore[no-untyped-call]  # theirs


@pytest.fixture
def client(tenant: Tenant, connect: Callable[[str], stripe.StripeClient]) -> stripe.StripeClient:
    """A client with the tenant's secret test key."""
    return connect(tenant.secret)


@pytest.fixture
def other(server: RunningServer, connect: Callable[[str], stripe.StripeClient]) -> stripe.StripeClient:
    """A client of another tenant."""
    return connect(make_tenant(server.database_url).secret)


@pytest.fixture(scope="session")
def node(scratch: Path) -> tuple[str, Path]:
    """The node program, and a directory with the client installed as the lock file has it."""
    program, npm = shutil.which("node"), shutil.which("npm")
    if program is None or npm is None:
        pytest.skip("node or npm is not installed (Debian packages nodejs, npm)")
    place = scratch / "node"
    shutil.copytree(HERE, place, ignore=shutil.ignore_patterns("node_modules"))
    (place / "node_modules").symlink_to(npm_modules(npm, "node", HERE))
    return program, place
