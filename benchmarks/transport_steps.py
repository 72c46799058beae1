"""What do the steps of the transport take, beside plain Python and beside the library?

Run: pytest benchmarks/transport_steps.py. No socket: bytes are handed to a connection and taken from it.
"""

import asyncio
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
import uvloop
from httptools import HttpRequestParser
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks import hot_paths
from benchmarks.http2_paths import http2_connection
from benchmarks.peers import bare
from fastpay._native import gate
from fastpay._native.names import Names
from fastpay._native.routing import Table
from fastpay._native.runner import Runner
from fastpay.config import Http2Engine
from fastpay.server import http2_engine
from tests.reference import gate as plain_gate
from tests.reference import names as plain_names
from tests.reference import routing as plain_routing
from tests.reference import runner as plain_runner

_BOUNDS = {"target_bytes": 8_192, "header_bytes": 16_384, "header_count": 64}
_KINDS = {b"host": 1, b"user-agent": 2, b"content-length": 3, b"authorization": 16, b"idempotency-key": 17}
_ROUTES = [("GET", f"/v1/{kind}/{{id}}", kind) for kind in ("charges", "refunds", "payment_intents")]


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """Give the runner a loop, which has to be that of the thread."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        yield runner.get_loop()


def test_get_through_a_connection(benchmark: BenchmarkFixture) -> None:
    with hot_paths.connection(bare.app) as feed:
        answer = benchmark(feed, hot_paths.GET)
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert answer.endswith(bare.BODY)


def test_post_through_a_connection(benchmark: BenchmarkFixture) -> None:
    with hot_paths.connection(bare.app) as feed:
        answer = benchmark(feed, hot_paths.POST)
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")


@pytest.mark.parametrize("engine", ["native", "h2"])
def test_get_through_a_connection_of_http2(benchmark: BenchmarkFixture, engine: Http2Engine) -> None:
    if engine == "native" and http2_engine.why_not_native():
        pytest.skip(http2_engine.why_not_native())
    new_service = partial(hot_paths.new_service, bare.app)
    with http2_connection(new_service, hot_paths.GET_FIELDS, engine) as ask:
        answer = benchmark(ask)
    assert answer.endswith(bare.BODY)


def test_httptools_alone(benchmark: BenchmarkFixture) -> None:
    """What any server on httptools pays for the head, before it does anything with it."""
    fields: list[tuple[bytes, bytes]] = []

    class Protocol:
        def on_url(self, url: bytes) -> None:
            pass

        def on_header(self, name: bytes, value: bytes) -> None:
            fields.append((name.lower(), value))

        def on_headers_complete(self) -> None:
            pass

        def on_message_complete(self) -> None:
            fields.clear()

    benchmark(HttpRequestParser(Protocol()).feed_data, hot_paths.GET)
    assert not fields


def test_gate(benchmark: BenchmarkFixture) -> None:
    assert benchmark(gate.judge, hot_paths.GET, **_BOUNDS) == (1, len(hot_paths.GET))


def test_plain_gate(benchmark: BenchmarkFixture) -> None:
    assert benchmark(plain_gate.judge, hot_paths.GET, **_BOUNDS) == len(hot_paths.GET)


@pytest.mark.parametrize("table", [Names(_KINDS), plain_names.Names(_KINDS)], ids=["compiled", "plain"])
def test_header_name(benchmark: BenchmarkFixture, table: Any) -> None:
    assert benchmark(table.look_up, b"Idempotency-Key") == (b"idempotency-key", 17)


@pytest.mark.parametrize("table", [Table(_ROUTES), plain_routing.Table(_ROUTES)], ids=["compiled", "plain"])
def test_route(benchmark: BenchmarkFixture, table: Any) -> None:
    assert benchmark(table.lookup, "GET", "/v1/payment_intents/pi_1") == ("payment_intents", {"id": "pi_1"})


@pytest.mark.parametrize("kind", [Runner, plain_runner.Runner], ids=["compiled", "plain"])
def test_a_coroutine_that_does_not_wait(
    benchmark: BenchmarkFixture, loop: asyncio.AbstractEventLoop, kind: Any
) -> None:
    ended: list[BaseException | None] = []

    async def nothing() -> None:
        pass

    async def hundred() -> None:
        for _ in range(100):
            runner.run(nothing(), ended.append)
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    runner = kind(loop)
    benchmark(lambda: loop.run_until_complete(hundred()))
    assert not any(ended)
    loop.run_until_complete(runner.close())
