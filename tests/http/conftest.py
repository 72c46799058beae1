"""Plain requests to the shared server: over HTTP/1.1, or through the `DOORS` that a file names."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.api import TRUST, open_client
from tests.support.doors import HTTP1, Door
from tests.support.refusals import Database
from tests.support.servers import RunningServer, fresh_database, running_server
from tests.support.tenants import Tenant, make_tenant


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give each file its ways in.

    What is decided once a request is decoded is the same for all of them: tests/transport/test_application.py
    sends every kind of request and of refusal through all four.
    """
    if "door" in metafunc.fixturenames:
        doors = getattr(metafunc.module, "DOORS", (HTTP1,))
        metafunc.parametrize("door", doors, ids=[door.name for door in doors], scope="module")


@pytest.fixture(scope="module")
def tenant(server: RunningServer) -> Tenant:
    """A tenant for the tests of one file."""
    return make_tenant(server.database_url)


@pytest.fixture(scope="module")
def client(server: RunningServer, tenant: Tenant) -> Iterator[httpx.Client]:
    """A client with the key of the file's tenant."""
    with open_client(server.url, tenant.secret) as opened:
        yield opened


@pytest.fixture(scope="module")
def http(door: Door, server: RunningServer, request: pytest.FixtureRequest) -> Iterator[httpx.Client]:
    """A client without a key, which follows nothing and hides nothing."""
    # Without openssl there is no certificate, and only what needs one is skipped.
    running: RunningServer = request.getfixturevalue("tls_server") if door.is_tls else server
    options = door.options(request.getfixturevalue("certificate")) if door.is_tls else {}
    with httpx.Client(
        base_url=running.url, **{"timeout": 30, "trust_env": False, "verify": TRUST, **options}
    ) as client:
        yield client


@pytest.fixture(scope="module")
def database(server: RunningServer) -> Iterator[Database]:
    """The server's database, seen from beside."""
    found = Database(server.database_url)
    yield found
    found.close()


@pytest.fixture(scope="package")
def logging_server(plain_server: RunningServer, cluster: Path) -> Iterator[RunningServer]:
    """An instance that keeps all requests, on a database of its own: tests store card numbers there."""
    with fresh_database(plain_server.database_url, template="template0") as url:
        environment = {
            "FASTPAY_DATABASE_URL": url,
            "FASTPAY_REDIS_URL": plain_server.redis_url,
            "FASTPAY_REQUEST_LOG": "complete",
            "FASTPAY_PUBLIC_URL": "https://pay.example",
            "FASTPAY_LOG_FORMAT": "json",
            "FASTPAY_TEST_DELAY_S": "0",
        }
        with running_server("logging", cluster, environment=environment) as running:
            yield running
