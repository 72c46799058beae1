"""Upstreams that processors are held to: another fastpay, and localstripe."""

import contextlib
import itertools
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from fastpay.clock import SystemClock
from fastpay.engine.processors.configuration_ports import Kind, Secrets
from fastpay.engine.processors.ports import CardData, Order, Outcome
from fastpay.operations.embedded.servers import EmbeddedServers
from fastpay.outbound.http import HttpClient
from fastpay.outbound.processors.calls import Calls
from fastpay.outbound.processors.dialect import DialectProcessor
from fastpay.store.sealing import KEY_FILE, make_key, render_keys
from tests.processors.test_live_payments import Front
from tests.support import localstripe
from tests.support.engine import CLOCK
from tests.support.held_proxy import HeldProxy
from tests.support.servers import NUMBERS, RunningServer, SpawnServer, fresh_database
from tests.support.upstreams import Address, new_address

_NUMBERS = itertools.count(1)
NUMBER = "4242424242424242"
TIMEOUT_MS = 20_000


class Upstream:
    """A processor over a server, and orders for it."""

    def __init__(self, kind: Kind, url: str, secret: str, client: HttpClient) -> None:
        self.kind = kind
        self.url = url
        self.secret = secret
        self.client = client
        self.processor = self.at(url)

    def at(self, url: str, secret: str | None = None, **options: Any) -> DialectProcessor:
        """Return a processor at another address of the same server."""
        secrets = Secrets(secret=secret or self.secret, webhook_secret="whsec_s")
        calls = Calls(self.client, url, clock=SystemClock())
        return DialectProcessor(calls, secrets, is_basic=self.kind == "localstripe", **options)

    async def send(self, order: Order) -> Outcome:
        """Carry out an order."""
        return await self.processor.carry_out(order, timeout_ms=TIMEOUT_MS)

    async def ask(self, order: Order, *, sent_s_ago: int | None = 0, **options: Any) -> Outcome | None:
        """Inquire about an order, as if it had been sent so long ago."""
        sent_ms = None if sent_s_ago is None else SystemClock().now_ms() - sent_s_ago * 1000
        asked = msgspec.structs.replace(order, sent_ms=sent_ms, card=None)
        processor = self.at(self.url, **options) if options else self.processor
        return await processor.inquire(asked, timeout_ms=TIMEOUT_MS)

    async def authorized(self, **fields: Any) -> tuple[Order, Outcome]:
        """Carry out an authorization that is approved."""
        order = authorization(**fields)
        outcome = await self.send(order)
        assert outcome.status == "approved", outcome
        return order, outcome


def card(number: str = NUMBER) -> CardData:
    """Return a card."""
    return CardData(number=number, exp_month=12, exp_year=2040, cvc="123")


def authorization(**fields: Any) -> Order:
    """Return an authorization that nobody has sent yet."""
    values: dict[str, Any] = {"amount": 1_999, "currency": "usd", "card": card(), **fields}
    return Order(operation="authorize", reference=f"att_{next(_NUMBERS)}", **values)


def setup_order() -> Order:
    """Return a setup that nobody has sent yet."""
    return msgspec.structs.replace(authorization(amount=0, currency="xxx", saves=True), operation="setup")


def follow_up(operation: Any, order: Order, outcome: Outcome | None = None, **fields: Any) -> Order:
    """Return what is done to a payment. Without the outcome only our reference names it."""
    values: dict[str, Any] = {"amount": order.amount, "currency": order.currency, **fields}
    return Order(
        operation=operation,
        reference=f"att_{next(_NUMBERS)}",
        authorization=order.reference,
        processor_id=None if outcome is None else outcome.processor_id,
        **values,
    )


@pytest.fixture(scope="package")
def localstripe_url(scratch: Path) -> Iterator[str]:
    with localstripe.running(scratch / "localstripe") as url:
        yield url


@pytest.fixture
def databases(postgres_url: str) -> Iterator[Callable[[], str]]:
    """A function that makes databases of the test's own, migrated."""
    with contextlib.ExitStack() as stack:
        yield lambda: stack.enter_context(fresh_database(postgres_url, template="fastpay"))


# The databases are asked for first: so they are dropped once the servers have ended.
@pytest.fixture
def spawn_server(
    databases: Callable[[], str], spawn_server: SpawnServer, scratch: Path, embedded_servers: EmbeddedServers
) -> SpawnServer:
    """As everywhere, on the PostgreSQL that all share. test_two_books.py has some of its own, and kills them.

    A server that is started again in its directory has its database and its sealing keys again.
    """
    known: dict[Path, dict[str, str]] = {}

    def spawn(
        *arguments: str,
        data_dir: Path | None = None,
        environment: dict[str, str] | None = None,
        prefix: Sequence[str] = (),
        wait: bool = True,
    ) -> RunningServer:
        place = data_dir or scratch / f"data{next(NUMBERS)}"
        if place not in known:
            place.mkdir(mode=0o700)
            keys = place / KEY_FILE
            keys.touch(mode=0o600)
            keys.write_bytes(render_keys([make_key(CLOCK)]))
            known[place] = {"FASTPAY_DATABASE_URL": databases(), "FASTPAY_SEALING_KEY_FILE": str(keys)}
            if embedded_servers.redis_url is not None:
                known[place]["FASTPAY_REDIS_URL"] = embedded_servers.redis_url
        own = known[place] | (environment or {})
        return spawn_server(*arguments, data_dir=place, environment=own, prefix=prefix, wait=wait)

    return spawn


@pytest.fixture
def front(
    request: pytest.FixtureRequest, spawn_server: SpawnServer, server: RunningServer
) -> Iterator[Front]:
    """A front installation. A parameter has further settings of it."""
    with HeldProxy(server.url) as proxy:
        made = Front(spawn_server, new_address(server), proxy, **getattr(request, "param", {}))
        with contextlib.closing(made.upstream):
            yield made


@pytest.fixture(params=["stripe", "localstripe"])
def address(request: pytest.FixtureRequest, server: RunningServer) -> Address:
    if request.param == "localstripe":
        return Address("localstripe", request.getfixturevalue("localstripe_url"), "sk_test_12345")
    return new_address(server)


@pytest.fixture
def fastpay_address(server: RunningServer) -> Address:
    return new_address(server)


@pytest.fixture
async def client() -> AsyncIterator[HttpClient]:
    client = HttpClient()
    yield client
    await client.close()


@pytest.fixture
async def upstream(address: Address, client: HttpClient) -> Upstream:
    return Upstream(address.kind, address.url, address.secret, client)


@pytest.fixture
async def fastpay_upstream(fastpay_address: Address, client: HttpClient) -> Upstream:
    return Upstream("stripe", fastpay_address.url, fastpay_address.secret, client)
