"""fastpay/_native/spans.pyx"""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans
from opentelemetry.proto.trace.v1.trace_pb2 import Span as Message

from fastpay._native.spans import SpanEncoder, Template
from fastpay.observability.traces import About, Request, Span, Trace
from tests.reference import spans as oracle

_PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
_RESOURCE = ResourceSpans(resource=Resource(dropped_attributes_count=300), schema_url="s").SerializeToString()
_SCOPE = ScopeSpans(scope=InstrumentationScope(name="fastpay" * 40)).SerializeToString()
_KEYS = [("GET", "/v1/a/{id}", 200, "http", "1.1"), ("BREW", None, 404, "https", "2")]
_ABOUTS = [About("BATCH", "client"), About("HOME", "server")]
_TEMPLATES: dict[Any, Template] = {
    _KEYS[0]: Template(
        Message(name="GET /v1/a/{id}", kind=Message.SPAN_KIND_SERVER).SerializeToString(),
        is_server=True,
        route="/v1/a/{id}",
        series=("GET", "/v1/a/{id}", "1.1", "2xx"),
    ),
    _KEYS[1]: Template(Message(name="x" * 300).SerializeToString(), is_server=True),
    _ABOUTS[0]: Template(Message(name="BATCH").SerializeToString(), is_server=False),
    _ABOUTS[1]: Template(Message(name="HOME").SerializeToString(), is_server=True),
}
_OFFSET_NS = 1_790_000_000 * 10**9

_moments = st.integers(0, 1 << 60)
_texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)
_ids = st.integers(1, (1 << 64) - 1)
_traces = st.builds(
    Trace,
    st.integers(1, (1 << 128) - 1),
    _ids,
    st.one_of(st.just(0), _ids),
    st.sampled_from(("", "a=b")),
    _moments,
)
_parents = st.sampled_from((None, _PARENT, _PARENT[:-1] + "0", _PARENT.upper(), _PARENT + "-x", "\xff" * 55))
_requests = st.sampled_from(_KEYS).flatmap(
    lambda key: st.builds(
        lambda trace, path, request_id, times, parent, state: Request(
            trace,
            key[0],
            path,
            key[3],
            key[4],
            key[1],
            key[2],
            request_id,
            min(times),
            max(times),
            parent,
            state,
        ),
        st.one_of(st.none(), _traces),
        st.one_of(_texts, st.just("/v1/a/4242424242424242")),
        _texts,
        st.tuples(_moments, _moments),
        _parents,
        st.sampled_from((None, "", "a=b", "\xe9=1")),
    )
)
_spans = st.builds(
    Span,
    st.sampled_from(_ABOUTS),
    _traces,
    _moments,
    st.dictionaries(_texts, st.one_of(_texts, st.integers(0, (1 << 63) - 1)), max_size=3),
    st.one_of(st.none(), _texts),
    st.lists(_traces, max_size=3),
)


def new_encoder(templates_max: int = 10) -> SpanEncoder:
    return SpanEncoder(_RESOURCE, _SCOPE, _TEMPLATES.__getitem__, templates_max)


@given(st.lists(st.one_of(_requests, _spans), max_size=6), st.randoms(use_true_random=False))
def test_spans_are_encoded_as_the_protocols_own_messages_have_them(
    records: list[Request | Span], random: Any
) -> None:
    chance = random.randbytes(24 * len(records))
    encoded, _ = new_encoder().encode(records, chance, _OFFSET_NS)
    found = ExportTraceServiceRequest.FromString(encoded)
    assert found == oracle.encode(records, chance, _OFFSET_NS, _TEMPLATES, _RESOURCE, _SCOPE)


def request(key: int = 0, *, parent: str | None = None) -> Request:
    method, route, status, scheme, version = _KEYS[key]
    return Request(None, method, "/v1/a/b", scheme, version, route, status, "req_1", 5, 9, parent, None)


def test_what_the_metrics_show_is_returned_for_requests_with_a_series() -> None:
    chance = bytes(range(72))
    records = [request(), request(1), request(parent=_PARENT)]
    _, shown = new_encoder().encode(records, chance, _OFFSET_NS)
    series = _TEMPLATES[_KEYS[0]].series
    assert shown == [
        (series, chance[:16], 4, _OFFSET_NS + 9),
        (series, bytes.fromhex(_PARENT[3:35]), 4, _OFFSET_NS + 9),
    ]


def test_what_was_measured_within_a_span_is_returned_with_its_trace() -> None:
    trace = Trace(7, 1, 0, "", 3)
    span = Span(_ABOUTS[0], trace, 9, {}, None, [], [(("postgresql", "batch"), 5, 8), (("other",), 1, 9)])
    _, shown = new_encoder().encode([span, request(1)], bytes(48), _OFFSET_NS)
    trace_id = (7).to_bytes(16, "big")
    assert shown == [
        (("postgresql", "batch"), trace_id, 5, _OFFSET_NS + 8),
        (("other",), trace_id, 1, _OFFSET_NS + 9),
    ]


def test_templates_are_made_once_and_are_bounded() -> None:
    asked: list[Any] = []

    def describe(key: Any) -> Template:
        asked.append(key)
        return _TEMPLATES[key]

    encoder = SpanEncoder(_RESOURCE, _SCOPE, describe, 1)
    encoder.encode([request(), request(), request(1), request(1), request()], bytes(5 * 24), 0)
    assert asked == [_KEYS[0], _KEYS[1], _KEYS[0]]


def test_an_encoder_goes_on_after_a_record_that_it_cannot_encode() -> None:
    encoder = new_encoder()
    for wrong in (("too", "short"), None, request()._replace(begun_ns=1 << 70)):
        with pytest.raises((ValueError, AttributeError, OverflowError)):
            encoder.encode([request(), wrong], bytes(48), 0)
    with pytest.raises(ValueError, match="24 random bytes"):
        encoder.encode([request()], bytes(23), 0)
    encoded, _ = encoder.encode([], b"", 0)
    assert ExportTraceServiceRequest.FromString(encoded) == oracle.encode([], b"", 0, {}, _RESOURCE, _SCOPE)
