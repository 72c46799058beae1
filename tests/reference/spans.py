"""Spans as OTLP has them, with the messages of opentelemetry-proto."""

from collections.abc import Mapping, Sequence
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, SpanFlags, Status

from fastpay._native.spans import Template
from fastpay.observability.traces import Request, Span, Trace
from tests.reference import digit_runs, sampling

_KNOWN = SpanFlags.SPAN_FLAGS_CONTEXT_HAS_IS_REMOTE_MASK
_REMOTE = _KNOWN | SpanFlags.SPAN_FLAGS_CONTEXT_IS_REMOTE_MASK


def encode(
    records: Sequence[Request | Span],
    random: bytes,
    offset_ns: int,
    templates: Mapping[Any, Template],
    resource: bytes = b"",
    scope: bytes = b"",
) -> Any:
    """Return the message. `templates` has all that are needed."""
    request = ExportTraceServiceRequest()
    spans = request.resource_spans.add()
    spans.CopyFrom(ResourceSpans.FromString(resource))
    inner = spans.scope_spans.add()
    inner.CopyFrom(ScopeSpans.FromString(scope))
    for index, record in enumerate(records):
        if isinstance(record, Span):
            _add_span(inner.spans.add(), record, offset_ns, templates[record.about])
        else:
            key = (record.method, record.route, record.status, record.scheme, record.version)
            chance = random[24 * index : 24 * index + 24]
            _add_request(inner.spans.add(), record, chance, offset_ns, templates[key])
    return request


def _add_request(message: Any, done: Request, chance: bytes, offset_ns: int, template: Template) -> None:
    trace = done.trace or _trace_below(done.parent, done.state, chance, done.begun_ns)
    own: dict[str, str | int] = {}
    if template.route is not None:
        own["url.path"] = template.route if digit_runs.in_text(done.path) else done.path
    own["fastpay.request_id"] = done.request_id
    _add(message, trace, template, own)
    message.start_time_unix_nano = done.begun_ns + offset_ns
    message.end_time_unix_nano = done.ended_ns + offset_ns


def _add_span(message: Any, span: Span, offset_ns: int, template: Template) -> None:
    own = dict(span.own)
    if span.error is not None:
        own["error.type"] = span.error
        message.status.code = Status.STATUS_CODE_ERROR
    _add(message, span.trace, template, own)
    message.start_time_unix_nano = span.trace.begun_ns + offset_ns
    message.end_time_unix_nano = span.ended_ns + offset_ns
    for linked in span.links:
        message.links.add(
            trace_id=linked.trace_id.to_bytes(16, "big"),
            span_id=linked.span_id.to_bytes(8, "big"),
            trace_state=linked.state,
            flags=_KNOWN,
        )


def _add(message: Any, trace: Trace, template: Template, own: Mapping[str, str | int]) -> None:
    message.MergeFromString(template.encoded)
    message.trace_id = trace.trace_id.to_bytes(16, "big")
    message.span_id = trace.span_id.to_bytes(8, "big")
    message.flags = _KNOWN
    if trace.parent_id:
        message.parent_span_id = trace.parent_id.to_bytes(8, "big")
        message.flags = _REMOTE if template.is_server else _KNOWN
    message.trace_state = trace.state
    for name, value in own.items():
        added = message.attributes.add(key=name)
        if isinstance(value, str):
            added.value.string_value = value
        else:
            added.value.int_value = value


def _trace_below(parent: str | None, state: str | None, chance: bytes, begun_ns: int) -> Trace:
    own = int.from_bytes(chance[16:], "big")
    if parent is None or sampling.sampled_flag(parent.encode("latin-1")) < 0:
        return Trace(int.from_bytes(chance[:16], "big"), own, 0, "", begun_ns)
    return Trace(int(parent[3:35], 16), own, int(parent[36:52], 16), state or "", begun_ns)
