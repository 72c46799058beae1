"""The paths that a request takes again and again, each as a function that can be called again and again."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, cast

import uvloop

from benchmarks import fronting, samples
from benchmarks.asking import Asking
from benchmarks.cached import AUTHORIZATION, cached_app
from benchmarks.delivering import delivering
from benchmarks.exporting import Exporting
from benchmarks.following import commit_paths, observing
from benchmarks.forwarding import forwarding
from benchmarks.http2_paths import http2_connection
from benchmarks.in_memory import Transport
from benchmarks.listing import Rows, pages
from benchmarks.missing import missing
from benchmarks.moving import moving
from benchmarks.paying import paying
from benchmarks.peers import bare
from benchmarks.queueing import queueing
from benchmarks.scraping import scraping
from fastpay._native import signature
from fastpay._native.histograms import Histograms
from fastpay._native.http1 import Connection
from fastpay._native.routing import Table
from fastpay._native.service import Service
from fastpay._native.signature import Signer
from fastpay.api.decoding import decode_params
from fastpay.api.request_notes import RequestNotes, describe
from fastpay.api.resources.payment_intents.params import CreateParams
from fastpay.api.resources.payment_intents.shape import PAYMENT_INTENT
from fastpay.clock import SystemClock
from fastpay.observability.buckets import DURATION_BOUNDS_NS
from fastpay.server import http2_engine
from fastpay.server.settings import ServerSettings
from fastpay.store import columns
from fastpay.store.request_log import to_columns

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
_NOW = 1_790_000_000


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


@contextmanager
def paths() -> Iterator[dict[str, Callable[[], object]]]:
    """Give the paths by their names, ready to be called."""
    signer = (Signer(b"fpss_" + b"k" * 42),)
    body = b"w" * 289
    header = signature.sign_webhook(signer, body, _NOW).encode()
    workspace, command, intent = samples.used_workspace(), samples.new_command(), samples.new_intent()
    one_payment, payments = samples.new_changes(1), samples.new_changes(16)
    table = Table([("GET", f"/v1/{kind}/{{id}}", kind) for kind in ("charges", "payment_intents")])
    form = "application/x-www-form-urlencoded"
    asking, logged = Asking(), Asking(is_logged=True)
    engine = http2_engine.choose(None)
    logged.ask()
    notes = RequestNotes(logged.notes, clock=SystemClock(), percent=None, public_url=None)
    rows = [describe(logged.notes.last, 0, 0)] * 64
    traced, tracer_of_none = Exporting(1.0), Exporting(0.0)
    scrape = scraping()
    with (
        queueing(32, observing(Rows({}))) as submit,
        connection(bare.app) as feed,
        connection(cached_app()) as feed_cached,
        http2_connection(partial(new_service, bare.app), GET_FIELDS, engine) as ask_http2,
        http2_connection(partial(new_service, cached_app()), GET_FIELDS, engine) as ask_http2_cached,
        pages() as lists,
        missing(new_service) as read_64,
        connection(cached_app(notes)) as feed_logged,
        connection(cached_app(tracer=tracer_of_none.tracer)) as feed_undrawn,
        connection(cached_app(tracer=traced.tracer)) as feed_drawn,
        delivering() as deliver,
        paying() as (pay, pay_live),
        fronting.fronting(new_service) as pass_on,
        # The last one: it leaves a loop of its own in the place of the running one until it ends.
        forwarding(Rows({})) as forwarded,
    ):
        yield {
            "GET through a connection": lambda: feed(GET),
            "GET from the cache": lambda: feed_cached(GET),
            **({} if engine == "h2" else {"GET over HTTP/2": ask_http2}),
            **({} if engine == "h2" else {"GET from the cache over HTTP/2": ask_http2_cached}),
            "64 GETs from the database": read_64,
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
            "pass 16 reads on": lambda: pass_on(fronting.GET),
            "pass 16 payments on": lambda: pass_on(fronting.POST),
            "deliver 16 events, signed twice": deliver,
            "check a webhook's signature": lambda: signature.verify_webhook(signer, header, body, _NOW),
            **(forwarded | moving() | lists),
            **commit_paths(Rows({})),
        }
