"""Exports spans with OpenTelemetry's SDK. Imported only when tracing is on: it needs the otel extra."""

import os
import threading
from collections.abc import Sequence

from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SpanExporter
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import (
    Link,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    TraceState,
)

from fastpay import __version__, limits
from fastpay.clock import Clock
from fastpay.observability import telemetry
from fastpay.observability.traces import Span, Trace, Tracer

_log = telemetry.Log("fastpay.traces")

_SAMPLED = TraceFlags(TraceFlags.SAMPLED)
_KINDS = {"server": SpanKind.SERVER, "client": SpanKind.CLIENT}
_NONE = Status()


class ExportThread:
    """Exports what a tracer has collected, every so often, beside the event loop."""

    def __init__(self, tracer: Tracer, exporter: SpanExporter, clock: Clock) -> None:
        self._tracer = tracer
        self._exporter = exporter
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="export traces", daemon=True)
        self._scope = InstrumentationScope("fastpay", __version__)
        self._resource = make_resource()
        # Spans have times of the monotonic clock.
        self._offset_ns = clock.now_ms() * 1_000_000 - clock.monotonic_ns()

    def start(self) -> None:
        """Start."""
        self._thread.start()

    def stop(self) -> None:
        """Export the rest. An exporter's own timeouts are longer than a stop may take, so ours counts."""
        self._stopping.set()
        self._thread.join(limits.trace_flush_timeout_ms / 1000)

    def _run(self) -> None:
        is_last = False
        while not is_last:
            is_last = self._stopping.wait(limits.trace_export_interval_ms / 1000)
            try:
                spans = self._tracer.drain()
                for at in range(0, len(spans), limits.trace_export_spans_max):
                    self._export(spans[at : at + limits.trace_export_spans_max])
            except Exception:  # noqa: BLE001  traces may be lost, the thread goes on
                _log.exception("trace_export_failed")
        self._exporter.shutdown()

    def _export(self, spans: Sequence[Span]) -> None:
        self._exporter.export([self._readable(span) for span in spans])

    def _readable(self, span: Span) -> ReadableSpan:
        trace = span.trace
        attributes = dict(span.attributes)
        if span.error is not None:
            attributes["error.type"] = span.error
        parent = SpanContext(trace.trace_id, trace.parent_id, is_remote=True, trace_flags=_SAMPLED)
        return ReadableSpan(
            span.name,
            context=_context(trace),
            parent=parent if trace.parent_id else None,
            resource=self._resource,
            attributes=attributes,
            links=[Link(_context(linked)) for linked in span.links],
            kind=_KINDS[span.kind],
            instrumentation_scope=self._scope,
            status=_NONE if span.error is None else Status(StatusCode.ERROR),
            start_time=trace.begun_ns + self._offset_ns,
            end_time=span.ended_ns + self._offset_ns,
        )


def make_exporter(name: str) -> SpanExporter:
    """Return the exporter of this name, as the OTEL_* variables set it up."""
    if name == "console":
        return ConsoleSpanExporter()
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415 - pulls in requests
        OTLPSpanExporter,
    )

    return OTLPSpanExporter()


def make_resource() -> Resource:
    """Return what the process says of itself."""
    attributes: dict[str, str] = {"service.version": __version__}
    if not os.environ.get("OTEL_SERVICE_NAME"):
        attributes[SERVICE_NAME] = "fastpay"
    return Resource.create(attributes)


def _context(trace: Trace) -> SpanContext:
    state = TraceState.from_header([trace.state]) if trace.state else None
    return SpanContext(trace.trace_id, trace.span_id, False, _SAMPLED, state)
