"""A receiver of traces by OTLP over HTTP, as a collector has it, and of webhooks at /hook."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.support.servers import PATIENCE_SECONDS


class OtlpReceiver(ThreadingHTTPServer):
    """Keeps the spans that it gets, as the protocol's messages."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.spans: list[Any] = []
        self.resources: list[dict[str, Any]] = []
        self.arrived = threading.Condition()
        # The connections that spans came by.
        self.collecting: set[Any] = set()
        # The headers of webhooks.
        self.hooks: list[dict[str, str]] = []

    @property
    def endpoint(self) -> str:
        """What OTEL_EXPORTER_OTLP_ENDPOINT is set to."""
        return f"http://127.0.0.1:{self.server_port}"

    def wait_for(self, *names: str) -> list[Any]:
        """Return all spans, once there is one of each name."""
        with self.arrived:
            found = self.arrived.wait_for(
                lambda: {*names} <= {span.name for span in self.spans}, PATIENCE_SECONDS
            )
            assert found, f"{names} not in {[span.name for span in self.spans]}"
            return list(self.spans)


class _Handler(BaseHTTPRequestHandler):
    server: OtlpReceiver
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Take one export."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/hook":
            with self.server.arrived:
                self.server.hooks.append({name.lower(): value for name, value in self.headers.items()})
                self.server.arrived.notify_all()
            self._answer()
            return
        assert self.path == "/v1/traces"
        with self.server.arrived:
            self.server.collecting.add(self.client_address)
        request = ExportTraceServiceRequest.FromString(body)
        with self.server.arrived:
            for resource_spans in request.resource_spans:
                self.server.resources.append(attributes_of(resource_spans.resource))
                for scope_spans in resource_spans.scope_spans:
                    self.server.spans += scope_spans.spans
            self.server.arrived.notify_all()
        self._answer()

    def _answer(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/x-protobuf")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


def attributes_of(message: Any) -> dict[str, Any]:
    """Return the attributes of a span or a resource."""
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in message.attributes}


@contextmanager
def receiving() -> Iterator[OtlpReceiver]:
    """Run a receiver."""
    with OtlpReceiver() as receiver:
        thread = threading.Thread(target=receiver.serve_forever, daemon=True)
        thread.start()
        try:
            yield receiver
        finally:
            receiver.shutdown()
            thread.join()
