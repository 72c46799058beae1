"""The paths that a request takes again and again, each as a function that can be called again and again."""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

import uvloop

from benchmarks import fronting, samples
from benchmarks.asking import Asking
from benchmarks.delivering import delivering
from benchmarks.exporting import Exporting
from benchmarks.following import commit_paths, observing
from benchmarks.forwarding import forwarding
from benchmarks.listing import Rows, pages
from benchmarks.paying import paying
from benchmarks.peers import bare
from benchmarks.queueing import queueing
from benchmarks.scraping import scraping
from fastpay._native import signature
from fastpay._native.cache import Cache, CachedResponse
from fastpay._native.histograms import Histograms
from fastpay._native.http1 import Connection
from fastpay._native.routing import Table
from fastpay._native.service import Service
from fastpay._native.shortcut import Shortcut
from fastpay._native.signature import Signer
from fastpay.api.decoding import decode_params
from fastpay.api.request_notes import RequestNotes, describe
from fastpay.api.resources.payment_intents.params import CreateParams
from fastpay.api.resources.payment_intents.shape import PAYMENT_INTENT
from fastpay.clock import SystemClock
from fastpay.engine.ports import Credentials
from fastpay.observability.buckets import DURATION_BOUNDS_NS
from fastpay.observability.traces import Tracer
from fastpay.server.settings import ServerSettings
from fastpay.store import columns
from fastpay.store.request_log import to_columns

IDENTIFIER = "pi_0190a5f0b7e97cc08d0a8b8e5b1f2a3c"
AUTHORIZATION = b"Bearer sk_test_" + b"0" * 32
# As the Python SDK sends them, but for a shorter description of itself.
_FIELDS = (
    b"Host: localhost:8000\r\nUser-Agent: Stripe/v1 PythonBindings/16.0.0\r\nAuthorization: "
    + AUTHORIZATION
    + b"\r\nStripe-Version: 2025-09-30.clover\r\nAccept: */*\r\nAccept-Encoding: gzip, deflate\r\n"
)
GET = b"GET /v1/payment_intents/pi_0190a5f0b7e97cc08d0a8b8e5b1f2a3c HTTP/1.1\r\n" + _FIELDS + b"\r\n"
POST = (
    b"POST /v1/payment_intents HTTP/1.1\r\n"
    + _FIELDS
    + b"Idempotency-Key: 0190a5f0-b7e9-7cc0-8d0a-8b8e5b1f2a3c\r\n"
    + b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n%b"
    % (len(samples.BODY), samples.BODY)
)
GET_FIELDS = [
    (b":method", b"GET"),
    (b":scheme", b"https"),
    (b":authority", b"localhost:8000"),
    (b":path", b"/v1/payment_intents/pi_0190a5f0b7e97cc08d0a8b8e5b1f2a3c"),
    (b"user-agent", b"Stripe/v1 PythonBindings/16.0.0"),
    (b"authorization", AUTHORIZATION),
    (b"stripe-version", b"2025-09-30.clover"),
    (b"accept", b"*/*"),
    (b"accept-encoding", b"gzip, deflate"),
]
_FOREVER_NS = 1 << 62
_NOW = 1_790_000_000


class Transport:
    """What a connection needs of a transport; it keeps the last answer."""

    written = b""

    def write(self, data: bytes) -> None:
        self.written = data

    def get_extra_info(self, name: str) -> Any:
        return ("127.0.0.1", 9) if name == "peername" else None

    def abort(self) -> None:
        pass


def new_service(app: Any, loop: asyncio.AbstractEventLoop) -> Service:
    """Return what the connections of a server share, for an application that nobody listens for."""
    service = Service(
        app,
        loop,
        ServerSettings(),
        clock=SystemClock(),
        refuse=lambda reason, is_head: b"refused",
        switch_to_http2=None,
        server=("127.0.0.1", 80),
        scheme="http",
    )
    # Requests are timed, as those of a server are.
    service.request_times = Histograms(DURATION_BOUNDS_NS, 16)
    return service


@contextmanager
def connection(app: Any) -> Iterator[Callable[[bytes], bytes]]:
    """Give a function that sends bytes through a connection to an application and returns its answer."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        transport, protocol = Transport(), Connection(new_service(app, runner.get_loop()))
        protocol.connection_made(cast(asyncio.Transport, transport))

        def feed(data: bytes) -> bytes:
            protocol.data_received(data)
            return transport.written

        yield feed
        protocol.connection_lost(None)


def cached_app(notes: RequestNotes | None = None, tracer: Tracer | None = None) -> Any:
    """Return an application that answers `GET` from the process's own cache, by the short way.

    With `notes` each request leaves one, with a `tracer` it may be drawn.
    """
    cache, partition_scope = Cache(1 << 20), "tenant"
    partition = cache.partition(partition_scope)
    partition.valid_until_ns = _FOREVER_NS
    entry = cache.put(partition, IDENTIFIER, 1, "the object", 100)
    assert entry is not None
    cache.render(entry, response(PAYMENT_INTENT.render_bytes(samples.new_intent(), False)))

    async def long_way(scope: Any, receive: Any, send: Any) -> None:
        raise AssertionError("the short way was not taken")

    shortcut = Shortcut(
        cache,
        time.monotonic_ns,
        lambda: "req_000000000000000000000000",
        1,
        kinds={"/v1/payment_intents/": "pi_"},
        routes={"/v1/payment_intents/": 1},
        watch=lambda scope, identifier, on_done: False,
        render=lambda path, value, scope: None,
        encode=lambda entry, whole, accepted: whole,
        long_way=long_way,
    )
    owner = Credentials(scope=samples.SCOPE, kind="secret", fingerprint_key=b"k" * 32)
    shortcut.admit(AUTHORIZATION, partition, _FOREVER_NS, owner)
    if notes is not None:
        shortcut.log(notes.answered, notes.drawn_below)
    if tracer is not None:
        shortcut.trace(tracer.sampler, tracer.record, tracer.keep, tracer.slow_ns)

    def app(scope: Any, receive: Any, send: Any) -> Any:
        return shortcut.answer(scope, receive, send) or long_way(scope, receive, send)

    return app


def response(body: bytes) -> CachedResponse:
    """Return an answer that shows a payment."""
    head = b"content-type: application/json\r\ncontent-length: %d\r\n" % len(body)
    return CachedResponse("/v1/payment_intents/", head, b"", body, b'"1"', is_encodable=False)


@contextmanager
def paths() -> Iterator[dict[str, Callable[[], object]]]:
    """Give the paths by their names, ready to be called."""
    signer = (Signer(b"fpss_" + b"k" * 42),)
    body = b"w" * 289
    header = signature.sign_webhook(signer, body, _NOW).encode()
    workspace, command, intent = samples.new_workspace(), samples.new_command(), samples.new_intent()
    one_payment, payments = samples.new_changes(1), samples.new_changes(16)
    table = Table([("GET", f"/v1/{kind}/{{id}}", kind) for kind in ("charges", "payment_intents")])
    form = "application/x-www-form-urlencoded"
    asking, logged = Asking(), Asking(is_logged=True)
    logged.ask()
    notes = RequestNotes(logged.notes, clock=SystemClock(), percent=None, public_url=None)
    rows = [describe(logged.notes.last, 0, 0)] * 64
    traced, tracer_of_none = Exporting(1.0), Exporting(0.0)
    scrape = scraping()
    with (
        queueing(32, observing(Rows({}))) as submit,
        connection(bare.app) as feed,
        connection(cached_app()) as feed_cached,
        pages() as lists,
        connection(cached_app(notes)) as feed_logged,
        connection(cached_app(tracer=tracer_of_none.tracer)) as feed_undrawn,
        connection(cached_app(tracer=traced.tracer)) as feed_drawn,
        delivering() as deliver,
        paying() as (pay, pay_live),
        forwarding() as (there_and_back, serve_forwarded),
        fronting.fronting(new_service) as pass_on,
    ):
        yield {
            "GET through a connection": lambda: feed(GET),
            "GET from the cache": lambda: feed_cached(GET),
            "GET from the cache, logged": lambda: feed_logged(GET),
            "GET from the cache, not drawn": lambda: feed_undrawn(GET),
            "GET from the cache, drawn": lambda: feed_drawn(GET),
            "export a span": lambda: traced.export(1),
            "export 32 spans": lambda: traced.export(32),
            "a scrape of the metrics": scrape,
            "POST through a connection": lambda: feed(POST),
            "POST to its answer": asking.ask,
            "POST to its answer, logged": logged.ask,
            "POST to its answer, not drawn": Asking(tracer=tracer_of_none.tracer).ask,
            "POST to its answer, drawn": Asking(tracer=traced.tracer).ask,
            "16 payments to their answers": pay,
            "16 live payments to their answers": pay_live,
            "describe a request for the log": lambda: describe(logged.notes.last, 0, 0),
            "64 requests to the log's columns": lambda: to_columns(rows),
            "route": lambda: table.lookup("GET", "/v1/payment_intents/pi_1"),
            "form to params": lambda: decode_params(
                CreateParams, content_type=form, body=samples.BODY, query=b""
            ),
            "decide a payment": lambda: samples.decide(workspace, command),
            "encode a batch of one payment": lambda: columns.encode(one_payment),
            "encode a batch of 16 payments": lambda: columns.encode(payments),
            "32 payments through the writer": submit,
            "payment to bytes": lambda: PAYMENT_INTENT.render_bytes(intent, False),
            "forward 16 payments and serve them": there_and_back,
            "serve 16 forwarded payments": serve_forwarded,
            "pass 16 reads on": lambda: pass_on(fronting.GET),
            "pass 16 payments on": lambda: pass_on(fronting.POST),
            "deliver 16 events, signed twice": deliver,
            "check a webhook's signature": lambda: signature.verify_webhook(signer, header, body, _NOW),
            **lists,
            **commit_paths(Rows({})),
        }
