"""What does the export of spans cost? The collector answers at once; what the kernel does is not counted."""

import socket
from collections.abc import Callable
from typing import cast

from fastpay._native.sampling import Sampler
from fastpay.clock import SystemClock
from fastpay.observability.collector import Collector, CollectorSettings
from fastpay.observability.traces import Request, Tracer
from fastpay.observability.tracing import make_exporter

_ANSWER = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\n"
    b"Date: Sun, 29 Nov 2026 12:00:00 GMT\r\nContent-Length: 0\r\n\r\n"
)
_PATH = "/v1/payment_intents/pi_0190a5f0b7e97cc08d0a8b8e5b1f2a3c"
_ROUTE = "/v1/payment_intents/{id}"
_DONE = Request(
    None, "GET", _PATH, "http", "1.1", _ROUTE, 200, "req_000000000000000000000000", 0, 300_000, None, None
)


class _Socket:
    """Takes everything, and has the answer ready."""

    def setsockopt(self, *_: int) -> None: ...
    def settimeout(self, _: float) -> None: ...
    def sendall(self, _: bytes) -> None: ...
    def recv(self, _: int) -> bytes:
        return _ANSWER


class Exporting:
    """A tracer that draws a share of the requests, and what exports them."""

    def __init__(self, share: float) -> None:
        sampler = Sampler(share, b"8 bytes!", follows_callers=True, per_second_max=1 << 30)
        self.tracer = Tracer(sampler, SystemClock())
        connect = cast("Callable[[tuple[str, int], float], socket.socket]", lambda *_: _Socket())
        collector = Collector(CollectorSettings("http://127.0.0.1/v1/traces"), connect=connect)
        self._exporter = make_exporter(self.tracer, collector, SystemClock())

    def export(self, spans: int) -> None:
        """Export so many spans, and look at their exemplars as a scrape does."""
        self.tracer.take()
        for _ in range(spans):
            self.tracer.record(_DONE)
        self._exporter.export()
        self.tracer.exemplars.of(())
