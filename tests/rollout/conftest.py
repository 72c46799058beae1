"""A server in front of an older API, both real processes or threads with real sockets."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.rollout.states import set_all
from tests.support.api import open_client
from tests.support.doors import H2C, HTTP1, Door
from tests.support.legacy import OK, RawLegacy, running_legacy
from tests.support.servers import RunningServer, running_server
from tests.support.tenants import make_tenant

TIMEOUT_MS = 2_500


@pytest.fixture(scope="session")
def legacy() -> Iterator[RawLegacy]:
    """The older API."""
    with running_legacy() as running:
        yield running


@pytest.fixture(scope="session")
def front(legacy: RawLegacy, cluster: Path) -> Iterator[RunningServer]:
    """A server in front of it, which waits for it for a short time only."""
    environment = {
        "FASTPAY_LEGACY_URL": legacy.url,
        "FASTPAY_LEGACY_TIMEOUT_MS": str(TIMEOUT_MS),
        "FASTPAY_LEGACY_IDLE_MS": "60000",
        "FASTPAY_REDIS_COPIES": "false",
        # Webhooks go to the tests.
        "FASTPAY_OUTBOUND_ALLOWED_NETWORKS": "127.0.0.0/8",
    }
    with (
        running_server("front", cluster, environment=environment) as running,
        open_client(running.url) as own,
    ):
        set_all("fastpay", own, server=running)
        yield running


@pytest.fixture(params=[HTTP1, H2C], ids=lambda door: door.name)
def door(request: pytest.FixtureRequest) -> Door:
    """The protocol of the client."""
    found: Door = request.param
    return found


@pytest.fixture
def client(front: RunningServer, door: Door) -> Iterator[httpx.Client]:
    """A client of the server in front."""
    with open_client(front.url, http1=not door.is_http2, http2=door.is_http2) as opened:
        yield opened


@pytest.fixture
def shop(front: RunningServer) -> Iterator[httpx.Client]:
    """A client of a new tenant, for which both sides may answer. Afterwards all routes are fastpay's."""
    with open_client(front.url, make_tenant(front.database_url).secret) as opened:
        set_all("fastpay", opened, server=front)
        yield opened
        set_all("fastpay", opened, server=front)


@pytest.fixture(autouse=True)
def _nothing_of_others(legacy: RawLegacy) -> None:
    legacy.answers.clear()
    legacy.otherwise = lambda target: OK
    legacy.heard.clear()
