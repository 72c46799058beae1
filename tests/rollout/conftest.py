"""A server in front of an older API, both real processes or threads with real sockets."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.rollout.states import set_all
from tests.support.api import open_client
from tests.support.doors import H2C, HTTP1, Certificate, Door
from tests.support.legacy import OK, RawLegacy, running_legacy
from tests.support.servers import RunningServer, running_server
from tests.support.tenants import make_tenant

# Longer than a machine may stand still, but for the tests that wait for the end of it.
TIMEOUT_MS, SHORT_MS = 15_000, 2_500


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Let the clients of a file come through the `DOORS` that it names. The SDK speaks HTTP/1.1 alone."""
    doors = getattr(metafunc.module, "DOORS", ())
    if doors and "shop_door" in metafunc.fixturenames and "sdk" not in metafunc.fixturenames:
        metafunc.parametrize("shop_door", doors, ids=[door.name for door in doors])


@pytest.fixture(scope="package")
def legacy() -> Iterator[RawLegacy]:
    """The older API."""
    with running_legacy() as running:
        yield running


@pytest.fixture(scope="package")
def front(legacy: RawLegacy, cluster: Path) -> Iterator[RunningServer]:
    """A server in front of it."""
    with (
        running_server("front", cluster, environment=_environment(legacy)) as running,
        open_client(running.url) as own,
    ):
        set_all("fastpay", own, server=running)
        yield running


@pytest.fixture(scope="package")
def impatient_front(front: RunningServer, legacy: RawLegacy, cluster: Path) -> Iterator[RunningServer]:
    """A second instance on the database of the first, which waits for a short time only."""
    environment = {
        **_environment(legacy),
        "FASTPAY_DATABASE_URL": front.database_url,
        "FASTPAY_LEGACY_TIMEOUT_MS": str(SHORT_MS),
        "FASTPAY_HOMES": "false",
    }
    with running_server("impatient", cluster, environment=environment) as running:
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
def shop_door() -> Door:
    """The protocol of a shop."""
    return HTTP1


@pytest.fixture(scope="module")
def tls_front(
    front: RunningServer, legacy: RawLegacy, cluster: Path, certificate: Certificate
) -> Iterator[RunningServer]:
    """A second instance on the database of the first, over TLS."""
    environment = {
        **_environment(legacy),
        "FASTPAY_DATABASE_URL": front.database_url,
        "FASTPAY_TLS_CERT": str(certificate.cert),
        "FASTPAY_TLS_KEY": str(certificate.key),
        "FASTPAY_HOMES": "false",
    }
    with running_server("tls-front", cluster, environment=environment) as running:
        yield running


@pytest.fixture
def shop(front: RunningServer, shop_door: Door, request: pytest.FixtureRequest) -> Iterator[httpx.Client]:
    """A client of a new tenant, for which both sides may answer. Afterwards all routes are fastpay's."""
    options = {"http1": not shop_door.is_http2, "http2": shop_door.is_http2}
    url = front.url
    if shop_door.is_tls:
        url = request.getfixturevalue("tls_front").url
        options = shop_door.options(request.getfixturevalue("certificate"))
    with open_client(url, make_tenant(front.database_url).secret, **options) as opened:
        set_all("fastpay", opened, server=front)
        yield opened
        set_all("fastpay", opened, server=front)


@pytest.fixture(autouse=True)
def _nothing_of_others(legacy: RawLegacy) -> None:
    legacy.answers.clear()
    legacy.otherwise = lambda target: OK
    legacy.heard.clear()


def _environment(legacy: RawLegacy) -> dict[str, str]:
    return {
        "FASTPAY_LEGACY_URL": legacy.url,
        "FASTPAY_LEGACY_TIMEOUT_MS": str(TIMEOUT_MS),
        "FASTPAY_LEGACY_IDLE_MS": "60000",
        "FASTPAY_REDIS_COPIES": "false",
        # Webhooks go to the tests.
        "FASTPAY_OUTBOUND_ALLOWED_NETWORKS": "127.0.0.0/8",
    }
