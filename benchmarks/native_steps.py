"""What do the compiled modules that no other file here looks at take, beside plain Python and libraries?

Run: pytest benchmarks/native_steps.py. Where plain Python has to give the same, the test says so.
"""

import asyncio
import inspect
import json
import socket
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast
from urllib.parse import urlsplit

import msgspec
import pytest
import uvloop
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks import cached, hot_paths, samples
from benchmarks.load.serving import free_port
from benchmarks.peers import bare
from fastpay._native import (
    digit_runs,
    entropy,
    headers,
    identifiers,
    json_pieces,
    params,
    passed_fields,
    plain_http,
    response_head,
    target,
    transfers_json,
)
from fastpay._native.arrays import ArrayType, Field, encode_table
from fastpay._native.cache import Cache
from fastpay._native.http1 import Connection
from fastpay._native.sampling import Sampler, sampled_flag
from fastpay._native.wheel import Callback, Wheel
from fastpay.api import card_numbers
from fastpay.api.resources.payment_intents.params import CreateParams
from fastpay.server.listener import Server
from fastpay.server.settings import ServerSettings
from tests.reference import arrays as plain_arrays
from tests.reference import card_finder as plain_card_finder
from tests.reference import digit_runs as plain_digit_runs
from tests.reference import headers as plain_headers
from tests.reference import identifiers as plain_identifiers
from tests.reference import json_pieces as plain_pieces
from tests.reference import params as plain_params
from tests.reference import passed_fields as plain_passed_fields
from tests.reference import plain_http as plain_plain_http
from tests.reference import response_head as plain_response_head
from tests.reference import sampling as plain_sampling
from tests.reference import transfers_json as plain_transfers

_COLUMNS = ("uuid", "bigint", "text", "timestamptz")
_RECORDS = (
    [f"pi_{number:032x}" for number in range(64)],
    list(range(64)),
    ["usd"] * 64,
    [samples.MOMENT_MS + number for number in range(64)],
)
_HEADERS = [
    (b"host", b"localhost:8000"),
    (b"user-agent", b"Stripe/v1 PythonBindings/16.0.0"),
    (b"authorization", cached.AUTHORIZATION),
    (b"stripe-version", b"2025-09-30.clover"),
    (b"accept", b"*/*"),
    (b"accept-encoding", b"gzip, deflate"),
]
_PARAMS = CreateParams(
    amount=2000,
    currency="usd",
    confirm=True,
    payment_method="pm_card_visa",
    description="Order 12",
    metadata={"order": "12"},
)
_TARGET = b"/v1/payment_intents?limit=10&customer=cus_1"
_ACCOUNTS = [f"lacc_{number:032x}" for number in range(16)]
_TRANSFERS = json.dumps(
    {
        "transfers": [
            {
                "debit_account": _ACCOUNTS[number % 16],
                "credit_account": _ACCOUNTS[(number + 1) % 16],
                "amount": number + 1,
            }
            for number in range(256)
        ]
    },
    separators=(",", ":"),
).encode()
_ORDER_FIELDS = {
    "Fastpay-Signature": f"t=1790000000,v2={64 * 'a'}",
    "Idempotency-Key": "att_" + 32 * "0",
    "Content-Type": "application/json",
}
_PARENT = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
_OBJECTS = 1_000
_DEADLINES = 1_000
_REQUESTS = 100


def _columns_by_oracle(parts: tuple[list[Any], ...]) -> list[bytes]:
    return [plain_arrays.encode(name, part) for name, part in zip(_COLUMNS, parts, strict=True)]


def test_arrays_of_64_records(benchmark: BenchmarkFixture) -> None:
    fields = tuple(Field(ArrayType(name), (), str(index)) for index, name in enumerate(_COLUMNS))
    encoded = benchmark(encode_table, fields, _RECORDS)
    assert encoded == _columns_by_oracle(_RECORDS)


def test_arrays_of_64_records_in_plain_python(benchmark: BenchmarkFixture) -> None:
    assert len(benchmark(_columns_by_oracle, _RECORDS)) == len(_COLUMNS)


@pytest.mark.parametrize("decode", [headers.decode, plain_headers.decode], ids=["compiled", "plain"])
def test_headers_as_text(benchmark: BenchmarkFixture, decode: Callable[..., Any]) -> None:
    assert benchmark(decode, _HEADERS)["accept"] == "*/*"


@pytest.mark.parametrize("made_by", [response_head, plain_response_head], ids=["compiled", "plain"])
def test_the_fields_of_a_response(benchmark: BenchmarkFixture, made_by: Any) -> None:
    echoes = [(b"stripe-version", b"2025-09-30.clover")]
    uncached = (b"cache-control", b"private, no-store")
    assert len(benchmark(made_by.fields_of, b"application/json", b"{}", "req_1", uncached, (), echoes)) == 5


def test_draw_random_bytes(benchmark: BenchmarkFixture) -> None:
    assert len(benchmark(entropy.random_bytes, 12)) == 12


@pytest.mark.parametrize("parts", [identifiers, plain_identifiers], ids=["compiled", "plain"])
def test_parts_of_an_identifier(benchmark: BenchmarkFixture, parts: Any) -> None:
    name = "pi_0190a5f0b7e97cc08d0a8b8e5b1f2a3c"

    def take() -> tuple[str, str, bool]:
        return parts.prefix_of(name), parts.digits(name), parts.is_well_formed(name, "pi")

    assert benchmark(take) == ("pi", name[3:], True)


@pytest.mark.parametrize(
    "check", [headers.is_plain_key, plain_headers.is_plain_key], ids=["compiled", "plain"]
)
def test_look_at_an_idempotency_key(benchmark: BenchmarkFixture, check: Callable[[str], bool]) -> None:
    assert benchmark(check, "0190a5f0-b7e9-7cc0-8d0a-8b8e5b1f2a3c")


@pytest.mark.parametrize("made_by", [params.Selection, plain_params.Selection], ids=["compiled", "plain"])
def test_what_is_given_of_30_parameters(benchmark: BenchmarkFixture, made_by: Callable[..., Any]) -> None:
    selection = made_by(CreateParams, CreateParams.__struct_fields__[:30])
    assert benchmark(selection.given, _PARAMS)["description"] == "Order 12"


@pytest.mark.parametrize(
    "made_by", [params.NumberSearch, plain_params.NumberSearch], ids=["compiled", "plain"]
)
def test_first_look_at_the_texts_of_params(benchmark: BenchmarkFixture, made_by: Callable[..., Any]) -> None:
    assert not benchmark(made_by(lambda params_type: params_type.__struct_fields__).may_find, _PARAMS)


@pytest.mark.parametrize("made_by", [params.EmptySearch, plain_params.EmptySearch], ids=["compiled", "plain"])
def test_look_for_empty_params(benchmark: BenchmarkFixture, made_by: Callable[..., Any]) -> None:
    assert not benchmark(made_by().may_find, _PARAMS)


@pytest.mark.parametrize("http", [plain_http, plain_plain_http], ids=["compiled", "plain"])
def test_a_request_to_a_processor_and_its_answer(benchmark: BenchmarkFixture, http: Any) -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 300\r\n\r\n" + b"a" * 300

    def ask() -> Any:
        http.write_request("POST", "/operations", "127.0.0.1:9", _ORDER_FIELDS, b"a" * 400)
        return http.read_answer(answer)

    assert benchmark(ask)[0] == 200


@pytest.mark.parametrize("fields", [passed_fields, plain_passed_fields], ids=["compiled", "plain"])
def test_fields_of_what_is_passed_on(benchmark: BenchmarkFixture, fields: Any) -> None:
    def pass_on() -> Any:
        fields.request_head(b"GET / HTTP/1.1", _HEADERS, "1.1", "http", "127.0.0.1", "req_1", None)
        return fields.answer_fields(200, _HEADERS[3:], "req_1")

    assert benchmark(pass_on)[-1] == (b"request-id", b"req_1")


@pytest.mark.parametrize("look", [digit_runs.in_form, plain_digit_runs.in_form], ids=["compiled", "plain"])
def test_first_look_for_card_numbers(benchmark: BenchmarkFixture, look: Callable[..., Any]) -> None:
    assert not benchmark(look, samples.BODY)


@pytest.mark.parametrize("holds", [card_numbers.holds, plain_card_finder.holds], ids=["compiled", "plain"])
def test_search_for_card_numbers(benchmark: BenchmarkFixture, holds: Callable[..., Any]) -> None:
    assert not benchmark(holds, "Order 12, box 4 of 7, tracking number 4444 4444 4444 and 601-102")


@pytest.mark.parametrize("flag", [sampled_flag, plain_sampling.sampled_flag], ids=["compiled", "plain"])
def test_flag_of_a_traceparent(benchmark: BenchmarkFixture, flag: Callable[..., Any]) -> None:
    assert benchmark(flag, _PARENT) == 1


def test_draw_of_a_request(benchmark: BenchmarkFixture) -> None:
    sampler = Sampler(0.0, bytes(8), follows_callers=True, per_second_max=100)
    assert not benchmark(sampler.is_drawn, None, time.monotonic_ns())


def test_target(benchmark: BenchmarkFixture) -> None:
    scope: dict[str, Any] = {}
    assert benchmark(target.read_target, _TARGET, b"localhost:8000", "GET", scope) == 0
    assert (scope["path"], scope["query_string"]) == ("/v1/payment_intents", b"limit=10&customer=cus_1")


def test_target_by_urlsplit(benchmark: BenchmarkFixture) -> None:
    """Without its cache; it refuses nothing and only finds the parts."""
    assert benchmark(inspect.unwrap(urlsplit), _TARGET).path == b"/v1/payment_intents"


def test_transfers_of_a_batch(benchmark: BenchmarkFixture) -> None:
    assert benchmark(transfers_json.decode, _TRANSFERS) == plain_transfers.decode(_TRANSFERS)


def test_transfers_of_a_batch_in_plain_python(benchmark: BenchmarkFixture) -> None:
    assert benchmark(plain_transfers.decode, _TRANSFERS) is not None


def test_pieces_of_a_batch(benchmark: BenchmarkFixture) -> None:
    found = benchmark(json_pieces.split, _TRANSFERS, b"transfers", 8, 1_000, 100_000)
    pieces, count = plain_pieces.split(_TRANSFERS, "transfers", 8, 1_000) or ([], 0)
    assert ([_TRANSFERS[start:end] for start, end in found[0]], found[1]) == (pieces, count)


def test_pieces_of_a_batch_in_plain_python(benchmark: BenchmarkFixture) -> None:
    assert benchmark(plain_pieces.split, _TRANSFERS, "transfers", 8, 1_000) is not None


def test_transfers_of_a_batch_by_msgspec(benchmark: BenchmarkFixture) -> None:
    """Objects for each transfer, and nothing of their accounts known to be well written."""

    class Transfer(msgspec.Struct, frozen=True, gc=False):
        debit_account: str
        credit_account: str
        amount: int

    class Body(msgspec.Struct, frozen=True, gc=False):
        transfers: list[Transfer]

    decoder = msgspec.json.Decoder(Body)
    assert len(benchmark(decoder.decode, _TRANSFERS).transfers) == 256


def test_finding_in_the_cache(benchmark: BenchmarkFixture) -> None:
    cache = Cache(1 << 24)
    partition = cache.partition("tenant")
    partition.valid_until_ns = 1 << 62
    names = [f"pi_{number:032x}" for number in range(_OBJECTS)]
    for name in names:
        cache.put(partition, name, 1, name, 300)

    def find_all() -> int:
        return sum(cache.find(partition, name, 1) is not None for name in names)

    assert benchmark(find_all) == _OBJECTS


def test_finding_in_an_ordered_dict(benchmark: BenchmarkFixture) -> None:
    """The usual cache in plain Python: what was used last is moved to the end. It knows no versions."""
    held: OrderedDict[tuple[str, str], str] = OrderedDict()
    names = [f"pi_{number:032x}" for number in range(_OBJECTS)]
    for name in names:
        held["tenant", name] = name

    def find_all() -> int:
        count = 0
        for name in names:
            if held.get(("tenant", name)) is not None:
                held.move_to_end(("tenant", name))
                count += 1
        return count

    assert benchmark(find_all) == _OBJECTS


def test_deadlines_on_the_wheel(benchmark: BenchmarkFixture) -> None:
    """What a request does: a deadline for each of a thousand connections, replaced by the next."""
    wheel = Wheel(cast(asyncio.AbstractEventLoop, None), 1.0, lambda: None)
    nodes = [Callback(lambda: None) for _ in range(_DEADLINES)]
    for node in nodes:
        wheel.join(node)

    def set_all() -> None:
        for node in nodes:
            wheel.set_deadline(node, 60)

    benchmark(set_all)
    assert wheel.count == _DEADLINES


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """Give the loop of production, which has to be that of the thread."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        yield runner.get_loop()


def test_deadlines_by_call_later(benchmark: BenchmarkFixture, loop: asyncio.AbstractEventLoop) -> None:
    """The same by the loop's own timers."""
    timers = [loop.call_later(60, lambda: None) for _ in range(_DEADLINES)]

    def set_all() -> None:
        for number, timer in enumerate(timers):
            timer.cancel()
            timers[number] = loop.call_later(60, lambda: None)

    benchmark(set_all)
    for timer in timers:
        timer.cancel()


def test_get_from_the_cache(benchmark: BenchmarkFixture) -> None:
    with hot_paths.connection(cached.cached_app()) as feed:
        answer = benchmark(feed, hot_paths.GET)
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b'"object":"payment_intent"' in answer


def test_get_from_a_dict_in_plain_python(benchmark: BenchmarkFixture) -> None:
    """What any ASGI application does for the same: find the key, find the answer, send two messages."""
    whole = cached.response(b'{"object":"payment_intent"}')
    answers = {("tenant", cached.IDENTIFIER): (whole.body, whole.etag)}
    keys = {cached.AUTHORIZATION: ("tenant", 1 << 62)}

    async def app(scope: Any, receive: Any, send: Any) -> None:
        named = dict(scope["headers"])
        tenant, until_ns = keys[named[b"authorization"]]
        assert time.monotonic_ns() < until_ns
        body, etag = answers[tenant, scope["path"].rpartition("/")[2]]
        fields = [
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(body)),
            (b"etag", etag),
            (b"request-id", b"req_000000000000000000000000"),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": fields})
        await send({"type": "http.response.body", "body": body})

    with hot_paths.connection(app) as feed:
        answer = benchmark(feed, hot_paths.GET)
    assert answer.endswith(whole.body)


def test_a_hundred_requests_over_a_socket(
    benchmark: BenchmarkFixture, loop: asyncio.AbstractEventLoop
) -> None:
    """Accepted, read and written by our own poller; the client's part is in it."""
    port = free_port()
    server = Server(bare.app, ServerSettings(port=port))
    loop.run_until_complete(server.start())
    try:
        with _connected(loop, port) as ask:
            benchmark(ask)
    finally:
        loop.run_until_complete(server.stop())


def test_a_hundred_requests_over_a_socket_by_uvloops_streams(
    benchmark: BenchmarkFixture, loop: asyncio.AbstractEventLoop
) -> None:
    service = hot_paths.new_service(bare.app, loop)
    serving = loop.create_server(lambda: cast(asyncio.Protocol, Connection(service)), "127.0.0.1", 0)
    server = loop.run_until_complete(serving)
    try:
        with _connected(loop, server.sockets[0].getsockname()[1]) as ask:
            benchmark(ask)
    finally:
        server.close()
        loop.run_until_complete(server.wait_closed())


@contextmanager
def _connected(loop: asyncio.AbstractEventLoop, port: int) -> Iterator[Callable[[], None]]:
    """Give what sends requests one after another on one connection, and reads the answers."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.setblocking(False)

        async def ask() -> None:
            for _ in range(_REQUESTS):
                await loop.sock_sendall(connection, hot_paths.GET)
                answer = await loop.sock_recv(connection, 4_096)
                assert answer.endswith(bare.BODY)

        yield lambda: loop.run_until_complete(ask())
    # The server sees the end, and forgets the connection.
    loop.run_until_complete(asyncio.sleep(0.05))
