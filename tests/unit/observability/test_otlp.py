"""fastpay/observability/otlp.py, held against the messages of opentelemetry-proto."""

from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from fastpay import __version__
from fastpay.observability.otlp import new_encoder, rejected_spans
from fastpay.observability.traces import About, Request, Span, Trace
from tests.support.otlp_receiver import attributes_of

_TRACE = Trace(0xA1, 0xB2, 0xC3, "a=b", 5)


def decoded(*records: Request | Span, resource: dict[str, Any] | None = None) -> Any:
    encoded, _ = new_encoder(resource or {}, "").encode([*records], bytes(24 * len(records)), 0)
    (of_process,) = ExportTraceServiceRequest.FromString(encoded).resource_spans
    (of_scope,) = of_process.scope_spans
    assert (of_scope.scope.name, of_scope.scope.version) == ("fastpay", __version__)
    return of_process.resource if resource else list(of_scope.spans)


def request(
    *, method: str = "GET", path: str = "/v1/a/b", route: str | None = "/v1/a/{id}", status: int = 200
) -> Request:
    return Request(_TRACE, method, path, "http", "1.1", route, status, "req_1", 5, 9, None, None)


def test_a_request_is_encoded_as_its_span_shows_it() -> None:
    (found,) = decoded(request(status=503))
    assert (found.name, found.kind) == ("GET /v1/a/{id}", found.SPAN_KIND_SERVER)
    assert attributes_of(found) == {
        "http.request.method": "GET",
        "http.route": "/v1/a/{id}",
        "http.response.status_code": 503,
        "url.scheme": "http",
        "url.path": "/v1/a/b",
        "network.protocol.version": "1.1",
        "fastpay.request_id": "req_1",
        "error.type": "503",
    }
    assert found.status.code == found.status.STATUS_CODE_ERROR


def test_no_path_shows_a_card_number_or_a_secret() -> None:
    secret = "/challenges/{token}/{id}"
    spans = decoded(
        request(path="/v1/a/4242424242424242"),
        request(path="/challenges/s3cret/pi_1", route=secret),
        request(path="/s3cret", route=None),
    )
    assert [attributes_of(span)["url.path"] for span in spans] == ["/v1/a/{id}", secret, "REDACTED"]


def test_other_spans_have_what_they_share_and_what_is_their_own() -> None:
    about = About("BATCH", "client", {"db.system.name": "postgresql"})
    first, second = decoded(Span(about, _TRACE, 9, {"n": 1 << 40}, "KeyError"), Span(about, _TRACE, 9))
    shared = {"db.system.name": "postgresql"}
    assert attributes_of(first) == shared | {"n": 1 << 40, "error.type": "KeyError"}
    assert (attributes_of(second), second.status.code) == (shared, 0)


def test_the_resource_may_have_whatever_the_sdk_allows() -> None:
    resource = {"text": "a", "yes": True, "count": 3, "share": 0.5, "many": ("a", "b")}
    found = attributes_of(decoded(resource=resource))
    assert [value.string_value for value in found.pop("many").values] == ["a", "b"]
    assert found == {"text": "a", "yes": True, "count": 3, "share": 0.5}


def test_spans_that_a_collector_rejects_are_counted() -> None:
    answer = ExportTraceServiceResponse()
    assert rejected_spans(answer.SerializeToString()) == (0, "")
    answer.partial_success.rejected_spans, answer.partial_success.error_message = 3, "too old"
    assert rejected_spans(answer.SerializeToString()) == (3, "too old")
