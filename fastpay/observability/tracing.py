"""Exports spans in a thread of its own. Imported only when tracing is on: it needs the otel extra."""

import os
import threading
from collections import deque
from collections.abc import Sequence
from typing import Protocol

import msgspec
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import ConsoleSpanExporter
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
from fastpay._native.spans import SpanEncoder
from fastpay.clock import Clock
from fastpay.observability import telemetry
from fastpay.observability.collector import Collector, SendFailed
from fastpay.observability.exemplars import Shown
from fastpay.observability.otlp import new_encoder, rejected_spans
from fastpay.observability.traces import Span, Trace, Tracer

_log = telemetry.Log("fastpay.traces")

_SAMPLED = TraceFlags(TraceFlags.SAMPLED)
_KINDS = {"server": SpanKind.SERVER, "client": SpanKind.CLIENT}
_NONE = Status()


class Exporter(Protocol):
    """Where spans go."""

    def export(self) -> None:
        """Export what was recorded, and what is left of earlier times. Called every so often."""

    def close(self) -> None:
        """Export no more."""


class ExportThread:
    """Exports every so often, beside the event loop."""

    def __init__(self, exporter: Exporter, *, interval_ms: int) -> None:
        self._exporter = exporter
        self._interval_s = interval_ms / 1000
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="export traces", daemon=True)

    def start(self) -> None:
        """Start."""
        self._thread.start()

    def stop(self) -> None:
        """Export the rest. A collector's own timeout is longer than a stop may take, so ours counts."""
        self._stopping.set()
        self._thread.join(limits.trace_flush_timeout_ms / 1000)

    def _run(self) -> None:
        is_last = False
        while not is_last:
            is_last = self._stopping.wait(self._interval_s)
            try:
                self._exporter.export()
            except Exception:  # noqa: BLE001  traces may be lost, the thread goes on
                _log.exception("trace_export_failed")
        self._exporter.close()


class _Batch(msgspec.Struct, frozen=True, gc=False):
    """Spans that were encoded, and what the metrics show of them."""

    spans: int
    body: bytes
    requests: Sequence[Shown]


class OtlpExporter:
    """Sends spans to a collector, and keeps a bounded number of them while it is away.

    works  --lost-->  WARNING trace_collector_lost, with the reason
    lost   --back-->  WARNING trace_collector_recovered, with how many spans were dropped
    """

    def __init__(self, tracer: Tracer, collector: Collector, encoder: SpanEncoder, clock: Clock) -> None:
        self._tracer = tracer
        self._collector = collector
        self._encoder = encoder
        self._clock = clock
        self._offset_ns = _wall_offset_ns(clock)
        self._batches: deque[_Batch] = deque()
        self._lost_since_ns: int | None = None
        self._failures = 0
        self._next_ns = self._follow_ns = 0

    def export(self) -> None:
        """Send spans in batches, the oldest first, unless the collector has failed a short time ago."""
        records = self._tracer.take()
        if self._clock.monotonic_ns() >= self._follow_ns:
            self._follow_clock()
        for at in range(0, len(records), limits.trace_export_spans_max):
            batch = records[at : at + limits.trace_export_spans_max]
            if len(self._batches) >= limits.trace_batches_kept:
                self._tracer.spans_dropped += self._batches.popleft().spans
            # The identifiers of requests that have no trace yet.
            random = self._clock.random_bytes(24 * len(batch))
            self._batches.append(_Batch(len(batch), *self._encoder.encode(batch, random, self._offset_ns)))
            self._send()
        if not records:
            self._send()

    def close(self) -> None:
        """Close the connection."""
        self._collector.close()

    def _follow_clock(self) -> None:
        # The clock has milliseconds. Follow it where it was set, and otherwise keep spans comparable.
        self._follow_ns = self._clock.monotonic_ns() + limits.trace_clock_check_ms * 1_000_000
        offset_ns = _wall_offset_ns(self._clock)
        if abs(offset_ns - self._offset_ns) > limits.trace_clock_step_ms * 1_000_000:
            self._offset_ns = offset_ns

    def _send(self) -> None:
        while self._batches and self._clock.monotonic_ns() >= self._next_ns:
            batch = self._batches[0]
            try:
                answer = self._collector.send(batch.body)
            except SendFailed as failure:
                self._failed(failure)
                if failure.is_retryable:
                    return
                self._tracer.spans_dropped += batch.spans
            else:
                self._sent(batch, answer)
            self._batches.popleft()

    def _sent(self, batch: _Batch, answer: bytes) -> None:
        self._failures = 0
        if self._lost_since_ns is not None:
            away_s = f"{(self._clock.monotonic_ns() - self._lost_since_ns) / 1e9:.1f}"
            self._lost_since_ns = None
            _log.warning("trace_collector_recovered", away_s=away_s, spans_dropped=self._tracer.spans_dropped)
        rejected, reason = rejected_spans(answer) if answer else (0, "")
        if rejected:
            _log.warning("trace_spans_rejected", spans=rejected, reason=reason)
            self._tracer.spans_dropped += rejected
        self._tracer.spans_exported += batch.spans - rejected
        self._tracer.exemplars.add(batch.requests)

    def _failed(self, failure: SendFailed) -> None:
        now_ns = self._clock.monotonic_ns()
        if failure.is_retryable:
            # Twice as long after each failure, less a random part: instances must not come together.
            self._failures += 1
            wait_ms = limits.trace_export_interval_ms << min(self._failures, 8)
            wait_ms = min(wait_ms, limits.trace_retry_ms_max)
            wait_ms -= int.from_bytes(self._clock.random_bytes(2), "big") * wait_ms >> 17
            self._next_ns = now_ns + max(wait_ms, failure.retry_after_s * 1000) * 1_000_000
        if self._lost_since_ns is None:
            self._lost_since_ns = now_ns
            _log.warning("trace_collector_lost", reason=str(failure))


class ConsoleExporter:
    """Writes spans to standard output, as OpenTelemetry's SDK shows them. For development."""

    def __init__(self, tracer: Tracer, *, offset_ns: int) -> None:
        self._tracer = tracer
        self._exporter = ConsoleSpanExporter()
        self._scope = InstrumentationScope("fastpay", __version__)
        self._resource = make_resource()
        self._offset_ns = offset_ns

    def export(self) -> None:
        """Write spans."""
        self._exporter.export([self._readable(span) for span in self._tracer.drain()])

    def close(self) -> None:
        """Write no more."""
        self._exporter.shutdown()

    def _readable(self, span: Span) -> ReadableSpan:
        trace, attributes = span.trace, span.attributes
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
            kind=_KINDS[span.about.kind],
            instrumentation_scope=self._scope,
            status=_NONE if span.error is None else Status(StatusCode.ERROR),
            start_time=trace.begun_ns + self._offset_ns,
            end_time=span.ended_ns + self._offset_ns,
        )


def make_exporter(tracer: Tracer, collector: Collector | None, clock: Clock) -> Exporter:
    """Return what exports to a collector, or to the console without one."""
    if collector is None:
        return ConsoleExporter(tracer, offset_ns=_wall_offset_ns(clock))
    resource = make_resource()
    return OtlpExporter(tracer, collector, new_encoder(resource.attributes, resource.schema_url), clock)


def make_resource() -> Resource:
    """Return what the process says of itself."""
    attributes: dict[str, str] = {"service.version": __version__}
    if not os.environ.get("OTEL_SERVICE_NAME"):
        attributes[SERVICE_NAME] = "fastpay"
    return Resource.create(attributes)


def _wall_offset_ns(clock: Clock) -> int:
    """Return what the wall clock is ahead of the monotonic one, which spans have the times of."""
    return clock.now_ms() * 1_000_000 - clock.monotonic_ns()


def _context(trace: Trace) -> SpanContext:
    state = TraceState.from_header([trace.state]) if trace.state else None
    return SpanContext(trace.trace_id, trace.span_id, False, _SAMPLED, state)
