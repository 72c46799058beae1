"""What does a payment cost in each mode, from its request to its answer? No socket, no database.

The application, the writer and the calls to processors are the real ones. Connections have no sockets, and
the store encodes a batch and keeps nothing of it. So what is counted is all that fastpay itself does for a
payment: `benchmarks.instructions` compares a live one with one in test mode.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Generator, Iterator, MutableMapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from typing import Any, cast

import msgspec
import uvloop
import yarl

from benchmarks import samples
from benchmarks.in_memory import loop_apart
from fastpay import limits
from fastpay._native.cache import Cache
from fastpay.api.app import RESOURCES, create_app
from fastpay.api.context import Services
from fastpay.clock import SystemClock
from fastpay.domain.identifiers import Scope
from fastpay.domain.ledger import Account
from fastpay.domain.plan import Book, Versioned
from fastpay.engine.challenge_ports import ChallengeTokens
from fastpay.engine.dependencies import Readiness
from fastpay.engine.event_ports import Events
from fastpay.engine.feeds import Feeds
from fastpay.engine.identity import IdentifierFactory
from fastpay.engine.ledger_ports import Ledger
from fastpay.engine.ports import Changes, Credentials, IdempotencyRow, Reader
from fastpay.engine.processors.calls import CallTimes, ProcessorCalls
from fastpay.engine.processors.configuration_ports import (
    Configuration,
    Configured,
    ProcessorConfigurations,
    Secrets,
)
from fastpay.engine.processors.live_payments import LivePayments
from fastpay.engine.shares import Shares
from fastpay.engine.write.ports import BatchWork, Encoded, WriterStore
from fastpay.engine.write.writer import Writer
from fastpay.outbound.http import HttpClient
from fastpay.outbound.http1.connection import Connection
from fastpay.outbound.http1.pool import Pool
from fastpay.outbound.lookups import Lookups
from fastpay.outbound.processors.making import ProcessorMaker
from fastpay.outbound.processors.registry import Registry
from fastpay.store import columns

# The test card's number, as a client sends it: the processor of a live payment gets it.
BODY = (
    b"amount=2000&currency=usd&confirm=true&payment_method_data%5Btype%5D=card&description=Order+12"
    b"&payment_method_data%5Bcard%5D%5Bnumber%5D=4242424242424242&payment_method_data%5Bcard%5D%5Bcvc%5D=123"
    b"&payment_method_data%5Bcard%5D%5Bexp_month%5D=12&payment_method_data%5Bcard%5D%5Bexp_year%5D=2034"
    b"&metadata%5Border%5D=12"
)
AT_ONCE = 16
_HOUR_MS = 3_600_000
_KEYS = {"sk_test_" + "0" * 32: False, "sk_live_" + "0" * 32: True}
_CONFIGURED = Configured(
    name="acquirer",
    kind="http",
    url="http://127.0.0.1:9",
    is_default=True,
    is_enabled=True,
    created_at=datetime(2026, 1, 1, tzinfo=UTC),
    secrets=Secrets(secret="s" * 32),
)


class _Clock(SystemClock):
    """Stands still, so that batches close after the same turns of the loop however busy the machine is."""

    def __init__(self) -> None:
        self._now_ns = 1
        # Without a method around it, as the machine's own.
        self.monotonic_ns = lambda: self._now_ns

    def settle(self) -> None:
        """Let the time go by in which keys are looked up after a start, and two tenants share the process."""
        self._now_ns += (max(limits.keys_doubted_ms, limits.contended_ms) + 1) * 1_000_000


class _Keys:
    """Knows one key of each mode."""

    def __init__(self) -> None:
        self._known = {
            key: Credentials(
                scope=Scope(samples.SCOPE.tenant_id, livemode), kind="secret", fingerprint_key=b"k" * 32
            )
            for key, livemode in _KEYS.items()
        }

    async def authenticate(self, key: str, *, client: str | None = None) -> Credentials | None:
        return self._known.get(key)

    def known(self, key: str) -> Credentials | None:
        return self._known.get(key)

    def believed_until_ns(self, key: str) -> int:
        """Believe nothing for any time: every request asks."""
        return 0


class _Store:
    """A store of which every tenant has an empty book, and that keeps nothing."""

    moment_ms: int | None = None

    def encode(self, changes: Changes, rows_max: int | None = None) -> Generator[None, None, Encoded]:
        return columns.encode_steps(changes, rows_max)

    async def write_decided(
        self, books: Sequence[Book], encoded: Encoded, moments: tuple[int, int], *, timeout_ms: float
    ) -> None:
        columns.encode_books(books)
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    async def run_batch(self, work: BatchWork, *, timeout_ms: float = 0) -> None:
        raise AssertionError("nobody else writes")

    def lane(self) -> WriterStore:
        return self

    @asynccontextmanager
    async def loading(self) -> AsyncIterator["_Store"]:
        yield self

    async def load_books(self, scopes: Sequence[Scope]) -> list[Book]:
        return [Book(scope, 0, samples.FEES) for scope in scopes]

    async def load_idempotency(self, digests: Sequence[tuple[Scope, bytes]]) -> list[IdempotencyRow]:
        return []

    async def load_objects(self, wanted: Sequence[tuple[Scope, str]]) -> list[tuple[Scope, Versioned]]:
        return []

    async def load_accounts(self, wanted: Sequence[tuple[Scope, str]]) -> list[tuple[Scope, Account]]:
        return []


class _Configurations:
    """Every tenant has the same processor."""

    async def load(self, scope: Scope) -> Configuration:
        return Configuration((_CONFIGURED,), ())


class _Order(msgspec.Struct):
    """What an acquirer repeats of an order. No more of it is read: what it takes is not fastpay's."""

    reference: str
    amount: int
    currency: str
    captures: bool


class _Outcome(msgspec.Struct):
    reference: str
    amount: int
    currency: str
    captured: bool
    status: str = "approved"
    id: str = "pay_1"


_read, _write = msgspec.json.Decoder(_Order).decode, msgspec.json.Encoder().encode


class _Transport:
    """Approves each order, as an acquirer does that speaks the contract `http`."""

    def __init__(self, protocol: asyncio.Protocol) -> None:
        self._protocol = protocol
        self._is_closing = False

    def write(self, data: bytes) -> None:
        order = _read(data.partition(b"\r\n\r\n")[2])
        said = _write(_Outcome(order.reference, order.amount, order.currency, order.captures))
        answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(said), said)
        # A turn later than at once: so outcomes make batches of the size that payments do, as they do where
        # an acquirer takes longer than a commit.
        loop = asyncio.get_running_loop()
        loop.call_soon(loop.call_soon, self._protocol.data_received, answer)

    def get_extra_info(self, name: str, default: object = None) -> object:
        return default

    def is_closing(self) -> bool:
        return self._is_closing

    def close(self) -> None:
        self._is_closing = True
        asyncio.get_running_loop().call_soon(self._protocol.connection_lost, None)

    abort = close


class _Pool(Pool):
    """Its connections have no sockets."""

    async def _connect(self, within_s: float) -> Connection:
        connection = Connection(self._turns)
        connection.connection_made(cast("asyncio.Transport", _Transport(connection)))
        return connection


class _Client(HttpClient):
    """Its connections have no sockets."""

    def _open(self, url: yarl.URL) -> Pool:
        # Its timer would make the count depend on how slow the machine is.
        return _Pool(url, turn_ms=_HOUR_MS, idle_ms=_HOUR_MS, tls=None, resolve=Lookups().resolve)


class _Maker(ProcessorMaker):
    """Makes processors whose connections have no sockets."""

    def __init__(self, *, clock: SystemClock) -> None:
        super().__init__(clock=clock)
        self._client = _Client()


class _Unread:
    """A reader with an empty cache and nothing behind it."""

    cache = Cache(0)

    def watch(self, scope: Scope, identifier: str, on_done: Callable[[Versioned | None], None]) -> bool:
        """Read nothing."""
        return False


class Paying:
    """Makes payments with one key, which nobody else has a share of the process with."""

    def __init__(self, loop: asyncio.AbstractEventLoop, key: str) -> None:
        self._loop = loop
        self._key = key
        self.clock = clock = _Clock()
        self.writer = Writer(_Store(), clock=clock)
        identifiers = IdentifierFactory(clock)
        configurations = cast(ProcessorConfigurations, _Configurations())
        self.registry = Registry(configurations, _Maker(clock=clock), clock=clock)
        calls = ProcessorCalls(
            self.registry,
            self.writer,
            clock=clock,
            identifiers=identifiers,
            # Under callgrind, on a busy machine, the first payments take seconds.
            times=CallTimes(timeout_ms=limits.processor_timeout_ms_max, wait_ms=limits.processor_wait_ms_max),
        )
        self._app = create_app(
            Services(
                writer=self.writer,
                reader=cast(Reader, _Unread()),
                ledger=cast(Ledger, None),
                events=cast(Events, None),
                feeds=cast(Feeds, None),
                keys=_Keys(),
                challenges=cast(ChallengeTokens, None),
                clock=clock,
                identifiers=identifiers,
                readiness=Readiness(),
                shares=Shares(clock.monotonic_ns),
                resources=RESOURCES,
                live_payments=LivePayments(calls, cast(Any, None), cast(Any, None), cast(Any, None)),
            )
        )
        self._number = 0

    async def close(self) -> None:
        """End the writer, and close the connections."""
        await self.writer.close()
        await self.registry.close()

    def pay(self) -> None:
        """Make payments at once, and wait for their answers."""
        with loop_apart():
            self._loop.run_until_complete(self._pay())

    async def _pay(self) -> None:
        bodies = await asyncio.gather(*(self._one() for _ in range(AT_ONCE)))
        assert all(b'"status":"succeeded"' in body for body in bodies), bodies[0]

    async def _one(self) -> bytes:
        self._number += 1
        sent: list[MutableMapping[str, Any]] = []
        headers = [
            (b"host", b"localhost:8000"),
            (b"authorization", b"Bearer " + self._key.encode()),
            (b"idempotency-key", b"0190a5f0-b7e9-7cc0-8d0a-%012d" % self._number),
            (b"content-type", b"application/x-www-form-urlencoded"),
            (b"content-length", str(len(BODY)).encode()),
            (b"stripe-version", b"2025-09-30.clover"),
            (b"user-agent", b"Stripe/v1 PythonBindings/16.0.0"),
        ]
        scope = {
            "type": "http",
            "method": "POST",
            "path": "/v1/payment_intents",
            "query_string": b"",
            "headers": headers,
            "scheme": "http",
        }

        async def receive() -> MutableMapping[str, Any]:
            return {"type": "http.request", "body": BODY, "more_body": False}

        async def send(message: MutableMapping[str, Any]) -> None:
            sent.append(message)

        await self._app(scope, receive, send)
        return cast(bytes, sent[1]["body"])


@contextmanager
def paying() -> Iterator[tuple[Callable[[], object], Callable[[], object]]]:
    """Give what makes payments in test mode, and live ones: `AT_ONCE` with a call."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        loop = runner.get_loop()

        async def begin(key: str) -> Paying:
            made = Paying(loop, key)
            made.writer.start()
            return made

        makers = [runner.run(begin(key)) for key in _KEYS]
        for made in makers:
            made.pay()
            made.clock.settle()
        test, live = makers
        yield test.pay, live.pay
        for made in makers:
            runner.run(made.close())
