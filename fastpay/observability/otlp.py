"""Encodes spans as OTLP has them.

What many spans have in common is encoded once, with the messages of opentelemetry-proto. Compiled code puts
in the rest: with these messages too, a span takes 55,000 instructions, and with the objects of the SDK of
OpenTelemetry 360,000. The event loop waits while a thread encodes.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, InstrumentationScope
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Status
from opentelemetry.proto.trace.v1.trace_pb2 import Span as Message

from fastpay import __version__, limits
from fastpay._native.spans import SpanEncoder, Template
from fastpay.observability.traces import About, about_request

_KINDS = {"server": Message.SPAN_KIND_SERVER, "client": Message.SPAN_KIND_CLIENT}


def new_encoder(resource: Mapping[str, Any], schema_url: str) -> SpanEncoder:
    """Return what encodes the spans of this process. `resource` has the attributes of it."""
    of_process = ResourceSpans(schema_url=schema_url)
    for name, value in resource.items():
        of_process.resource.attributes.add(key=name, value=_value(value))
    of_scope = ScopeSpans(scope=InstrumentationScope(name="fastpay", version=__version__))
    return SpanEncoder(
        of_process.SerializeToString(), of_scope.SerializeToString(), _describe, limits.trace_templates_max
    )


def rejected_spans(answer: bytes) -> tuple[int, str]:
    """Return how many spans the collector has rejected though it answered with 200, and why."""
    said = ExportTraceServiceResponse.FromString(answer).partial_success
    return said.rejected_spans, said.error_message


def _describe(key: About | tuple[str, str | None, int, str, str]) -> Template:
    about = key if isinstance(key, About) else about_request(*key)
    message = Message(name=about.name, kind=_KINDS[about.kind])
    attributes = dict(about.attributes)
    if about.error is not None:
        attributes["error.type"] = about.error
        message.status.code = Status.STATUS_CODE_ERROR
    for name, value in attributes.items():
        message.attributes.add(key=name, value=_value(value))
    encoded: bytes = message.SerializeToString()
    return Template(encoded, is_server=about.kind == "server", route=about.route, series=about.series)


def _value(value: bool | float | str | Sequence[Any]) -> AnyValue:
    """Return an attribute. The resource may have whatever the SDK allows."""
    if isinstance(value, bool):
        return AnyValue(bool_value=value)
    if isinstance(value, int):
        return AnyValue(int_value=value)
    if isinstance(value, float):
        return AnyValue(double_value=value)
    if isinstance(value, list | tuple):
        return AnyValue(array_value=ArrayValue(values=[_value(one) for one in value]))
    return AnyValue(string_value=str(value))
