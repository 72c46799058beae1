"""HAProxy as in deploy/: an API key has an instance, and goes on when that one stops."""

import ssl
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.homes.test_over_http import PAY, check_paid, counted, home_of, wait_for
from tests.support.api import ask, open_client
from tests.support.doors import Certificate
from tests.support.proxies import running_haproxy
from tests.support.servers import RunningServer, SpawnServer
from tests.support.tenants import make_tenant

TENANTS = 12


@pytest.fixture
def servers(spawn_server: SpawnServer, database_url: str) -> tuple[RunningServer, RunningServer]:
    environment = {"FASTPAY_DATABASE_URL": database_url, "FASTPAY_TRUSTED_PROXIES": "127.0.0.1"}
    one, two = (spawn_server(environment=environment, wait=False) for _ in range(2))
    one.wait_ready()
    two.wait_ready()
    return one, two


@pytest.fixture
def proxy(
    servers: tuple[RunningServer, RunningServer], certificate: Certificate, scratch: Path
) -> Iterator[str]:
    """HAProxy, which also says who has answered."""
    addresses = [server.url.removeprefix("http://") for server in servers]
    says = "    http-response set-header x-server %s\n"
    with running_haproxy(addresses, certificate, scratch, more=says) as running:
        yield running.url


@pytest.fixture
def trust(certificate: Certificate) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=certificate.cert)


def test_a_tenants_writes_are_forwarded_all_or_none_as_its_home_and_its_instance_happen_to_be(
    servers: tuple[RunningServer, RunningServer], proxy: str, database_url: str, trust: ssl.SSLContext
) -> None:
    """HAProxy's hash is not the one that chooses homes: of n instances, one in n tenants meets its home."""
    tenants = [make_tenant(database_url) for _ in range(TENANTS)]
    wait_for(lambda: is_up(proxy, trust))
    names = dict(zip(servers, ("one", "two"), strict=True))
    meetings: Counter[tuple[str, str]] = Counter()
    for tenant in tenants:
        home, _ = home_of(tenant, *servers)
        with open_client(proxy, tenant.secret, verify=trust) as http:
            for _ in range(3):
                answer = http.post("/v1/payment_intents", data=PAY)
                meetings[answer.headers["x-server"], names[home]] += 1
    assert set(meetings.values()) <= set(range(0, 3 * TENANTS + 1, 3))
    for server in servers:
        server.stop()
        name, other = names[server], "two" if names[server] == "one" else "one"
        counts = counted(server)
        assert (counts["local"], counts["forwarded"]) == (meetings[name, name], meetings[name, other])


def test_an_api_key_keeps_its_instance_and_goes_on_at_another_when_that_one_stops(
    servers: tuple[RunningServer, RunningServer], proxy: str, database_url: str, trust: ssl.SSLContext
) -> None:
    keys = [make_tenant(database_url).secret for _ in range(TENANTS)]
    wait_for(lambda: is_up(proxy, trust))
    answers: list[httpx.Response] = []

    def pay() -> list[str]:
        before = len(answers)
        for key in keys:
            with open_client(proxy, key, verify=trust) as http:
                answers.append(http.post("/v1/payment_intents", data=PAY))
        return [answer.headers["x-server"] for answer in answers[before:]]

    first = pay()
    assert pay() == first
    assert set(first) == {"one", "two"}
    servers[0].stop()
    assert set(pay()) == {"two"}
    check_paid(database_url, answers)


def is_up(url: str, trust: ssl.SSLContext) -> bool:
    """Tell whether both HAProxy and an instance behind it answer."""
    try:
        return ask(f"{url}/readyz", verify=trust).status_code == 200
    except httpx.TransportError:
        return False
