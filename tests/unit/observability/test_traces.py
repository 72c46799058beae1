"""fastpay/observability/traces.py"""

import pytest

from fastpay import limits
from fastpay._native.sampling import Sampler
from fastpay.clock import SystemClock
from fastpay.observability import traces
from fastpay.observability.traces import Request, Span, Trace, Tracer

TRACE = "0af7651916cd43dd8448eb211c80319c"
CALLER = {"traceparent": f"00-{TRACE}-b7ad6b7169203331-01", "tracestate": "a=b"}
SECRET_PATH = "/challenges/{token}/{id}"


class Clock(SystemClock):
    """A clock that is set."""

    now = 5_000_000_000

    def monotonic_ns(self) -> int:
        return self.now


def new_tracer(share: float = 1.0) -> Tracer:
    sampler = Sampler(share, b"8 bytes!", follows_callers=True, per_second_max=1 << 30)
    return Tracer(sampler, Clock())


def answer(
    tracer: Tracer,
    trace: Trace | None,
    *,
    method: str = "POST",
    path: str = "/v1/refunds",
    route: str | None = "/v1/refunds",
    status: int = 200,
    begun_ns: int | None = None,
    headers: dict[str, str] | None = None,
) -> list[Span]:
    begun_ns = Clock.now if begun_ns is None else begun_ns
    if trace is not None or tracer.is_kept(status, begun_ns):
        tracer.answered(
            trace,
            {"method": method, "path": path, "scheme": "http", "http_version": "2"},
            route,
            status=status,
            request_id="req_1",
            begun_ns=begun_ns,
            headers=headers or {},
        )
    return tracer.drain()


def record(*, request_id: str, status: int = 200) -> Request:
    return Request(None, "GET", "/", "http", "1.1", "/", status, request_id, 0, 1, None, None)


def test_a_request_that_is_not_drawn_is_no_object() -> None:
    tracer = new_tracer(0.0)
    assert tracer.begin({}, Clock.now) is None
    assert answer(tracer, None) == []


def test_a_span_of_a_request_follows_the_http_conventions() -> None:
    tracer = new_tracer()
    trace = tracer.begin(CALLER, Clock.now)
    assert trace is not None
    (span,) = answer(tracer, trace, status=201)
    assert (span.name, span.about.kind, span.error) == ("POST /v1/refunds", "server", None)
    assert span.attributes == {
        "http.request.method": "POST",
        "http.route": "/v1/refunds",
        "http.response.status_code": 201,
        "url.scheme": "http",
        "url.path": "/v1/refunds",
        "network.protocol.version": "2",
        "fastpay.request_id": "req_1",
    }
    assert (span.trace.trace_id, span.trace.parent_id) == (int(TRACE, 16), 0xB7AD6B7169203331)
    assert span.trace.to_headers() == (f"00-{TRACE}-{trace.span_id:016x}-01", "a=b")


def test_an_unknown_method_or_path_does_not_become_a_label() -> None:
    tracer = new_tracer()
    (span,) = answer(tracer, tracer.begin({}, 0), method="BREW" * 10, path="/tea", route=None, status=404)
    assert span.name == "HTTP"
    assert span.attributes["http.request.method"] == "_OTHER"
    assert span.attributes["http.request.method_original"] == ("BREW" * 10)[:20]
    assert span.attributes["url.path"] == "REDACTED"
    assert "http.route" not in span.attributes


@pytest.mark.parametrize(
    ("path", "route"),
    [("/v1/charges/4242424242424242", "/v1/charges/{id}"), ("/challenges/s3cret/pi_1", SECRET_PATH)],
)
def test_a_path_with_a_card_number_or_a_secret_is_shown_as_its_template(path: str, route: str) -> None:
    tracer = new_tracer()
    (span,) = answer(tracer, tracer.begin({}, 0), path=path, route=route)
    assert span.attributes["url.path"] == route


@pytest.mark.parametrize(("status", "error"), [(404, None), (503, "503")])
def test_only_our_own_failures_are_errors(status: int, error: str | None) -> None:
    tracer = new_tracer()
    (span,) = answer(tracer, tracer.begin({}, 0), status=status)
    assert span.error == error


def test_slow_and_failed_requests_are_kept_though_they_were_not_drawn() -> None:
    tracer = new_tracer(0.0)
    assert answer(tracer, None, status=402) == []
    (failed,) = answer(tracer, None, status=503, headers=CALLER)
    assert failed.trace.trace_id == int(TRACE, 16)
    slow_ns = limits.trace_slow_ms * 1_000_000
    assert answer(tracer, None, begun_ns=Clock.now - slow_ns + 1) == []
    (slow,) = answer(tracer, None, begun_ns=Clock.now - slow_ns)
    assert slow.ended_ns - slow.trace.begun_ns == slow_ns


def test_the_reservoir_is_bounded_and_keeps_early_and_late_failures_alike() -> None:
    tracer = new_tracer(0.0)
    count = 4 * limits.trace_reservoir_spans
    for number in range(count):
        tracer.keep(record(status=500, request_id=str(number)))
    kept = [int(span.attributes["fastpay.request_id"]) for span in tracer.drain()]
    assert len(kept) == limits.trace_reservoir_spans
    assert min(kept) < count / 2 < max(kept)
    assert tracer.drain() == []


def test_the_ring_is_bounded_and_forgets_the_oldest() -> None:
    tracer = new_tracer()
    for number in range(limits.trace_ring_spans + 5):
        # As compiled code makes it.
        tracer.record(tuple(record(request_id=str(number))))  # type: ignore[arg-type]
    found = tracer.drain()
    assert len(found) == limits.trace_ring_spans
    assert found[0].attributes["fastpay.request_id"] == "5"


def test_spans_of_one_route_share_what_they_have_in_common() -> None:
    tracer = new_tracer()
    for number in range(3):
        tracer.record(record(request_id=str(number), status=200 if number else 404))
    first, *others = tracer.drain()
    assert others[0].about is others[1].about is not first.about


def test_a_batch_has_a_span_only_if_a_drawn_request_is_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    tracer = new_tracer()
    monkeypatch.setattr(traces, "_tracer", tracer)
    assert traces.batch_span(64, [None] * 64) is traces.NO_SPAN
    drawn = [tracer.begin({}, 0) for _ in range(2)]
    with traces.batch_span(64, [None, *drawn, None]):
        pass
    (span,) = tracer.drain()
    assert drawn[0] is not None
    assert (span.trace.trace_id, span.trace.parent_id) == (drawn[0].trace_id, drawn[0].span_id)
    assert span.links == drawn[1:]
    assert span.attributes["db.operation.batch.size"] == 64
    with pytest.raises(KeyError), traces.batch_span(1, drawn[:1]):
        raise KeyError("x")
    (span,) = tracer.drain()
    assert span.error == "KeyError"
    assert "db.operation.batch.size" not in span.attributes


def test_what_is_measured_within_the_span_of_a_batch_belongs_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    tracer = new_tracer()
    monkeypatch.setattr(traces, "_tracer", tracer)
    with traces.batch_span(2, [None, None]):
        assert traces.measuring.get() is None
    with traces.batch_span(1, [tracer.begin({}, 0)]):
        measured = traces.measuring.get()
        assert measured is not None
        measured.append((("postgresql", "batch"), 5, 8))
    assert traces.measuring.get() is None
    (span,) = tracer.drain()
    assert span.measured == [(("postgresql", "batch"), 5, 8)]


def test_the_requests_that_are_remembered_for_their_webhooks_are_bounded() -> None:
    tracer = new_tracer(0.0)
    for number in range(limits.trace_requests_remembered + 1):
        tracer.remember(str(number), Trace(number + 1, 1, 0, "", 0))
    assert tracer.delivery("0") is None
    last = tracer.delivery(str(limits.trace_requests_remembered))
    assert last is not None
    assert last.trace_id == limits.trace_requests_remembered + 1
