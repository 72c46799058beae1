"""Plain HTTP to the server that all tests share."""

from collections.abc import Iterator

import httpx
import pytest

from tests.conftest import RunningServer
from tests.http.refusals import Database
from tests.http.tenants import Tenant, make_tenant


@pytest.fixture(scope="module")
def tenant(server: RunningServer) -> Tenant:
    """A tenant for the tests of one file."""
    return make_tenant(server.database_url)


@pytest.fixture(scope="module")
def http(server: RunningServer) -> Iterator[httpx.Client]:
    """A client without a key, which follows nothing and hides nothing."""
    with httpx.Client(base_url=server.url, timeout=30, trust_env=False) as client:
        yield client


@pytest.fixture(scope="module")
def database(server: RunningServer) -> Iterator[Database]:
    """The server's database, seen from beside."""
    found = Database(server.database_url)
    yield found
    found.close()
