"""HAProxy and nginx as the files in deploy/ set them up: clients pay through them over TLS.

An instance behind them is upgraded, and another one is killed.
"""

import asyncio
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import stripe

from fastpay.operations.embedded import children
from tests.support.api import ask, open_client
from tests.support.books import check_database
from tests.support.doors import H2, HTTP1_TLS, Certificate, Door
from tests.support.proxies import Proxy, running_haproxy, running_nginx
from tests.support.servers import PATIENCE_SECONDS, SpawnServer, fetch
from tests.support.tenants import make_tenant
from tests.support.upgrades import Crowd, Installation, running_installation, upgrade

PROGRAM = Path(sys.executable).with_name("fastpay")
RunProxy = Callable[[list[str], Certificate, Path], AbstractContextManager[Proxy]]
BEHIND = {"FASTPAY_TRUSTED_PROXIES": "127.0.0.1"}
PAY = {"amount": 1999, "currency": "usd", "payment_method": "pm_card_visa", "confirm": True}
TENANTS = 6
PAYMENTS = 8

proxies = pytest.mark.parametrize("run_proxy", [running_haproxy, running_nginx], ids=["haproxy", "nginx"])


@proxies
def test_clients_notice_nothing_of_an_upgrade_behind_a_proxy(
    run_proxy: RunProxy,
    database_url: str,
    redis_url: str,
    certificate: Certificate,
    scratch: Path,
    tmp_path: Path,
) -> None:
    environment = BEHIND | {"FASTPAY_DATABASE_URL": database_url, "FASTPAY_REDIS_URL": redis_url}
    installation, secret = Installation(tmp_path, PROGRAM), make_tenant(database_url).secret
    with (
        running_installation(installation, tmp_path / "data", tmp_path, environment=environment) as running,
        run_proxy([running.url.removeprefix("http://")], certificate, scratch) as proxy,
    ):
        wait_serves(proxy, certificate)
        crowd = Crowd(proxy.url, secret, certificate)
        crowd.send_in(kept=2, new=1, http2=2)
        crowd.wait_paid(10)
        status, said = upgrade(running)
        assert status == 0, said + running.output
        crowd.wait_paid(10)
        crowd.stop()
        assert crowd.failures == []
    (found,) = fetch(database_url, "select count(*) from payment_intent where status = 'succeeded'")
    assert found[0] == len(crowd.paid) == len(set(crowd.paid.values()))


@proxies
def test_a_kill_behind_a_proxy_costs_a_client_of_the_sdk_nothing_but_a_retry(
    run_proxy: RunProxy,
    spawn_server: SpawnServer,
    database_url: str,
    certificate: Certificate,
    scratch: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    environment = BEHIND | {"FASTPAY_DATABASE_URL": database_url}
    servers = [spawn_server(environment=environment, wait=False) for _ in range(2)]
    for server in servers:
        server.wait_ready()
    keys = [make_tenant(database_url).secret for _ in range(TENANTS)]
    is_half_done = threading.Barrier(TENANTS + 1, timeout=PATIENCE_SECONDS)
    monkeypatch.setattr(stripe, "verify_ssl_certs", True)
    monkeypatch.setattr(stripe, "ca_bundle_path", str(certificate.cert))

    def pay(url: str, key: str) -> list[str]:
        transport = stripe.RequestsClient()
        client = stripe.StripeClient(
            key, base_addresses={"api": url}, http_client=transport, max_network_retries=8
        )
        paid = []
        for number in range(PAYMENTS):
            if number == PAYMENTS // 2:
                is_half_done.wait()
            paid.append(client.v1.payment_intents.create(PAY).id)  # type: ignore[arg-type]
        transport.close()  # type: ignore[no-untyped-call]  # theirs
        return paid

    with run_proxy([server.url.removeprefix("http://") for server in servers], certificate, scratch) as proxy:
        wait_serves(proxy, certificate)
        with ThreadPoolExecutor(TENANTS) as pool:
            futures = [pool.submit(pay, proxy.url, key) for key in keys]
            is_half_done.wait()
            servers[0].kill()
            paid = [payment for future in futures for payment in future.result()]
    (found,) = fetch(database_url, "select count(*) from payment_intent where status = 'succeeded'")
    assert found[0] == len(set(paid)) == TENANTS * PAYMENTS
    asyncio.run(check_database(database_url))


@proxies
@pytest.mark.parametrize("door", [HTTP1_TLS, H2], ids=lambda door: door.name)
def test_what_is_said_of_the_client_is_the_proxys_word(
    run_proxy: RunProxy, certificate: Certificate, scratch: Path, door: Door
) -> None:
    forged = {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "http", "Idempotency-Key": "order-1"}
    with recording_instance() as (address, heads), run_proxy([address], certificate, scratch) as proxy:
        wait_serves(proxy, certificate)
        heads.clear()
        with door.open(proxy.url, certificate) as client:
            answer = client.get("/v1/balance?limit=1", headers=forged)
        assert (answer.status_code, answer.http_version) == (200, door.version)
    (head,) = [head for head in heads if head["path"] == "/v1/balance?limit=1"]
    assert head["x-forwarded-for"] == "127.0.0.1"
    assert head["x-forwarded-proto"] == "https"
    assert head["host"] == proxy.url.removeprefix("https://")
    assert head["idempotency-key"] == "order-1"


@proxies
def test_links_for_browsers_lead_to_the_proxy(
    run_proxy: RunProxy, spawn_server: SpawnServer, database_url: str, certificate: Certificate, scratch: Path
) -> None:
    server = spawn_server(environment=BEHIND | {"FASTPAY_DATABASE_URL": database_url})
    with run_proxy([server.url.removeprefix("http://")], certificate, scratch) as proxy:
        wait_serves(proxy, certificate)
        trust = H2.options(certificate)["verify"]
        with open_client(proxy.url, make_tenant(database_url).secret, verify=trust) as client:
            begun = client.post(
                "/v1/payment_intents",
                data=PAY
                | {"payment_method": "pm_card_authenticationRequired", "confirm": "true"}
                | {"return_url": "https://shop.example/"},
            ).json()
        assert begun["next_action"]["redirect_to_url"]["url"].startswith(f"{proxy.url}/")


def wait_serves(proxy: Proxy, certificate: Certificate) -> None:
    """Return once the proxy has found an instance behind it."""
    trust = H2.options(certificate)["verify"]

    def serves() -> bool:
        return ask(f"{proxy.url}/readyz", verify=trust).status_code == 200

    assert children.wait_until(serves, timeout_ms=PATIENCE_SECONDS * 1000)


@contextmanager
def recording_instance() -> Iterator[tuple[str, list[dict[str, str]]]]:
    """Run a server that answers 200 to all for the block; return its address and the heads it was sent."""
    heads: list[dict[str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            heads.append({name.lower(): value for name, value in self.headers.items()} | {"path": self.path})
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_port}", heads
        finally:
            server.shutdown()
            thread.join()
