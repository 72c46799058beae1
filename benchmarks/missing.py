"""What does a GET cost whose object is in no cache? From its bytes to its answer; no sockets, no driver.

The application and the reader are the real ones, and the rows are the driver's. 64 connections ask for a
payment each in one turn of the loop, so that one statement reads them all, as in `benchmarks.reads`.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, cast

import uvloop

from benchmarks import samples
from benchmarks.fronting import Keys, get
from benchmarks.in_memory import Transport, loop_apart
from benchmarks.listing import Rows, records
from fastpay._native.http1 import Connection
from fastpay._native.service import Service
from fastpay.api.app import RESOURCES, create_app
from fastpay.api.context import Services
from fastpay.clock import SystemClock
from fastpay.domain import kinds
from fastpay.engine.dependencies import Readiness
from fastpay.engine.identity import IdentifierFactory
from fastpay.engine.read.reader import Reader
from fastpay.store import rows

AT_ONCE = 64
_COLUMNS = ("ordinal", "version", "sequence", "kind", "snapshot")
_FOREVER = (1 << 63) - 1


class _Keys(Keys):
    """Knows one key, for longer than anything takes."""

    def believed_until_ns(self, key: str) -> int:
        """Believe it for ever."""
        return _FOREVER


class _Store(Rows):
    """Returns the rows of all payments."""

    async def fetch(self, statement: str, *arguments: Any) -> list[rows.Row]:
        """Return the rows, after the turn of the loop that a connection takes."""
        await asyncio.sleep(0)
        return self._found[statement]


class _Client(Transport):
    """A transport that counts answers."""

    answered = 0

    def write(self, data: bytes) -> None:
        """Keep it, and count."""
        self.written = data
        self.answered += 1


@contextmanager
def missing(
    new_service: Callable[[Any, asyncio.AbstractEventLoop], Service],
) -> Iterator[Callable[[], bytes]]:
    """Give a function that asks for so many payments at once, and returns the last answer."""
    identifiers, found = _payments()
    clock, nothing = SystemClock(), cast(Any, None)
    reader = Reader(_Store({"read_latest": found}), clock=clock)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        loop = runner.get_loop()
        services = Services(
            writer=nothing,
            reader=reader,
            ledger=nothing,
            events=nothing,
            feeds=nothing,
            keys=_Keys(),
            challenges=nothing,
            clock=clock,
            identifiers=IdentifierFactory(clock),
            readiness=Readiness(),
            resources=RESOURCES,
        )
        service = new_service(create_app(services), loop)
        client = _Client()
        connections = [Connection(service) for _ in identifiers]
        for connection in connections:
            connection.connection_made(cast(asyncio.Transport, client))
        requests = [get(f"/v1/payment_intents/{one}") for one in identifiers]
        partition = reader.partition(samples.SCOPE)

        async def ask() -> None:
            for one in identifiers:
                reader.cache.drop(partition, one, _FOREVER)
            client.answered = 0
            for connection, request in zip(connections, requests, strict=True):
                loop.call_soon(connection.data_received, request)
            while client.answered < AT_ONCE:  # noqa: ASYNC110  what it waits for has no event
                await asyncio.sleep(0)

        def ask_for_all() -> bytes:
            with loop_apart():
                loop.run_until_complete(ask())
            assert client.written.startswith(b"HTTP/1.1 200"), client.written
            return client.written

        yield ask_for_all
        for connection in connections:
            connection.connection_lost(None)


def _payments() -> tuple[list[str], Sequence[rows.Row]]:
    """Return identifiers of payments, and the rows that the database returns for them."""
    workspace, command = samples.new_workspace(), samples.new_command()
    identifiers: list[str] = []
    found: list[tuple[object, ...]] = []
    for number in range(AT_ONCE):
        draft = samples.decide(workspace, command, number)
        workspace.merge(draft)
        for one in draft.versions:
            if one.object.prefix == kinds.PAYMENT_INTENT.prefix:
                identifiers.append(one.object.id)
                found.append(
                    (
                        *(len(identifiers), one.version, one.sequence, kinds.PAYMENT_INTENT.number),
                        rows.encode(one.object),
                    )
                )
    book = (1, 0, found[-1][2], None, None)
    return identifiers, records(_COLUMNS, [*found, book])
