"""What does a request cost that is passed on? The way to the older API is a socket, that of the client none.

The older API is the one of `benchmarks/load/older.py`, in a process of its own. Idempotency keys are bound at
once, by no database.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, cast
from unittest.mock import patch

import uvloop

from benchmarks import samples
from benchmarks.in_memory import loop_apart
from benchmarks.load import older
from fastpay import limits
from fastpay._native.cache import Cache
from fastpay._native.http1 import Connection
from fastpay._native.service import Service
from fastpay.api.app import RESOURCES, create_app
from fastpay.api.context import Services
from fastpay.clock import SystemClock
from fastpay.domain.identifiers import Scope
from fastpay.engine.dependencies import Readiness
from fastpay.engine.dependency_ports import NoPart
from fastpay.engine.identity import IdentifierFactory
from fastpay.engine.ports import Credentials
from fastpay.engine.rollout.bindings import Key
from fastpay.engine.rollout.choice import Side
from fastpay.engine.rollout.mistaken import MistakenIdentifiers
from fastpay.engine.rollout.routes import Front, Routes
from fastpay.engine.rollout.shadow import ShadowTasks
from fastpay.outbound.legacy.client import LegacyClient

# One alone would cost less than to start and stop the loop for it.
IN_A_ROW = 16
_FOREVER_MS = 3_600_000
_KEY = b"sk_test_00000000000000000000000000000000"
_FIELDS = (
    b" HTTP/1.1\r\nHost: localhost:8000\r\nUser-Agent: Stripe/v1 PythonBindings/16.0.0\r\n"
    b"Authorization: Bearer "
    + _KEY
    + b"\r\nStripe-Version: 2025-09-30.clover\r\nAccept: */*\r\nAccept-Encoding: gzip, deflate\r\n"
)


def get(path: str) -> bytes:
    """Return a GET with the key."""
    return b"GET " + path.encode() + _FIELDS + b"\r\n"


GET = get("/v1/payment_intents/pi_OldPayment1")
POST = (
    b"POST /v1/payment_intents"
    + _FIELDS
    + b"Idempotency-Key: 0190a5f0-b7e9-7cc0-8d0a-8b8e5b1f2a3c\r\n"
    + b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n%b"
    % (len(samples.BODY), samples.BODY)
)


class Keys:
    """Knows one key."""

    def __init__(self) -> None:
        credentials = Credentials(scope=samples.SCOPE, kind="secret", fingerprint_key=b"k" * 32)
        self._known = {_KEY.decode(): credentials}

    async def authenticate(self, key: str, *, client: str | None = None) -> Credentials | None:
        return self._known.get(key)

    def known(self, key: str) -> Credentials | None:
        return self._known.get(key)

    def believed_until_ns(self, key: str) -> int:
        """Believe nothing for any time: every request asks."""
        return 0


class _Sides:
    """Keeps the sides of keys, in no database."""

    async def bind(self, wanted: Sequence[tuple[Key, Side]]) -> Mapping[Key, Side]:
        return dict(wanted)


class _Unread:
    """A reader with an empty cache and nothing behind it."""

    cache = Cache(0)

    def watch(self, scope: Scope, identifier: str, on_done: Callable[..., None]) -> bool:
        """Read nothing."""
        return False


class _Client:
    """What a connection needs of a transport; it waits for an answer that is written at once."""

    answer: "asyncio.Future[bytes]"

    def write(self, data: bytes) -> None:
        self.answer.set_result(data)

    def get_extra_info(self, name: str) -> Any:
        return ("127.0.0.1", 9) if name == "peername" else None

    def abort(self) -> None:
        pass


@contextmanager
def fronting(
    new_service: Callable[[Any, asyncio.AbstractEventLoop], Service],
) -> Iterator[Callable[[bytes], bytes]]:
    """Give a function that sends a request to the older API so many times in a row; it returns an answer."""
    with (
        older.serving() as port,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
        # Or how often deadlines are looked at would depend on how slow the machine is.
        patch.object(limits, "legacy_turn_ms", _FOREVER_MS),
    ):
        loop = runner.get_loop()
        legacy = LegacyClient(f"http://127.0.0.1:{port}", part=NoPart())
        client, connection = _Client(), Connection(new_service(create_app(_services(legacy)), loop))
        connection.connection_made(cast(asyncio.Transport, client))

        async def ask(request: bytes) -> bytes:
            for _ in range(IN_A_ROW):
                client.answer = loop.create_future()
                # Bytes come from the loop, and from within no task.
                loop.call_soon(connection.data_received, request)
                answer = await client.answer
            return answer

        def pass_on(request: bytes) -> bytes:
            with loop_apart():
                return loop.run_until_complete(ask(request))

        yield pass_on
        connection.connection_lost(None)
        runner.run(legacy.close())


def _services(legacy: LegacyClient) -> Services:
    clock, nothing = SystemClock(), cast(Any, None)
    return Services(
        writer=nothing,
        reader=cast(Any, _Unread()),
        ledger=nothing,
        events=nothing,
        feeds=nothing,
        keys=Keys(),
        challenges=nothing,
        clock=clock,
        identifiers=IdentifierFactory(clock),
        readiness=Readiness(),
        resources=RESOURCES,
        front=Front(
            legacy,
            Routes(cast(Any, _Sides()), clock=clock, retention_hours=24),
            nothing,
            ShadowTasks(),
            nothing,
            nothing,
            nothing,
            # No answer is looked at but the first.
            MistakenIdentifiers(nothing, lambda: 1),
            nothing,
        ),
    )
