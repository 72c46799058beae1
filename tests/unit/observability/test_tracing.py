"""fastpay/observability/tracing.py: what becomes of spans while a collector is away."""

import logging
from typing import Any, cast

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from fastpay import limits
from fastpay._native.sampling import Sampler
from fastpay.clock import SystemClock
from fastpay.observability.collector import Collector, SendFailed
from fastpay.observability.otlp import new_encoder
from fastpay.observability.traces import Request, Tracer
from fastpay.observability.tracing import OtlpExporter

_AWAY = SendFailed("away", is_retryable=True)
_REFUSED = SendFailed("the collector answered with 400", is_retryable=False)


class Clock(SystemClock):
    """A clock that is set."""

    now = 5_000_000_000
    wall = 1_790_000_000_000

    def monotonic_ns(self) -> int:
        return self.now

    def now_ms(self) -> int:
        return self.wall

    def go_on(self, milliseconds: int) -> None:
        self.now += milliseconds * 1_000_000
        self.wall += milliseconds


class Fake:
    """A collector that fails as often as it is told."""

    def __init__(self) -> None:
        self.failures: list[SendFailed] = []
        self.taken: list[bytes] = []

    def send(self, body: bytes) -> bytes:
        if self.failures:
            raise self.failures.pop(0)
        self.taken.append(body)
        return b""


class Setup:
    """An exporter with all that is around it."""

    def __init__(self) -> None:
        self.clock, self.fake = Clock(), Fake()
        sampler = Sampler(1.0, b"8 bytes!", follows_callers=True, per_second_max=1)
        self.tracer = Tracer(sampler, self.clock)
        collector, encoder = cast(Collector, self.fake), new_encoder({}, "")
        self.exporter = OtlpExporter(self.tracer, collector, encoder, self.clock)

    def export(self, count: int = 0) -> None:
        one = Request(None, "GET", "/", "http", "1.1", "/v1/a", 200, "req_1", 0, 300_000, None, None)
        for _ in range(count):
            self.tracer.record(one)
        self.exporter.export()

    def last_sent(self) -> Any:
        (of_process,) = ExportTraceServiceRequest.FromString(self.fake.taken[-1]).resource_spans
        return of_process.scope_spans[0].spans[-1]


@pytest.fixture
def made() -> Setup:
    return Setup()


def test_spans_are_sent_in_batches_of_a_bounded_size(made: Setup) -> None:
    made.export(limits.trace_export_spans_max + 1)
    assert len(made.fake.taken) == 2
    assert made.tracer.counts()["traces_exported_spans"] == limits.trace_export_spans_max + 1
    made.export()
    assert len(made.fake.taken) == 2


def test_spans_wait_for_a_collector_that_is_away_which_is_two_log_lines(
    made: Setup, caplog: pytest.LogCaptureFixture
) -> None:
    made.fake.failures = [_AWAY] * 3
    with caplog.at_level(logging.WARNING, "fastpay"):
        for _ in range(4):
            made.export(1)
            # Nothing is tried again before its time.
            made.export()
            made.clock.go_on(limits.trace_retry_ms_max)
        made.export()
    assert len(made.fake.taken) == made.tracer.spans_exported == 4
    assert [line.message for line in caplog.records] == ["trace_collector_lost", "trace_collector_recovered"]


def test_the_oldest_spans_are_dropped_beyond_the_bound(made: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "trace_batches_kept", 2)
    made.fake.failures = [_AWAY]
    for _ in range(4):
        made.export(1)
    made.clock.go_on(limits.trace_retry_ms_max)
    made.export()
    assert (made.tracer.spans_exported, made.tracer.spans_dropped) == (2, 2)


def test_spans_that_a_collector_refuses_are_not_sent_again(made: Setup) -> None:
    made.fake.failures = [_REFUSED]
    made.export(1)
    made.export(1)
    assert (made.tracer.spans_exported, made.tracer.spans_dropped) == (1, 1)


def test_only_a_trace_that_the_collector_has_is_an_exemplar(made: Setup) -> None:
    series = ("GET", "/v1/a", "1.1", "2xx")
    made.fake.failures = [_AWAY]
    made.export(1)
    assert made.tracer.exemplars.of(series) == {}
    made.clock.go_on(limits.trace_retry_ms_max)
    made.export()
    assert made.tracer.exemplars.of(series)[1].trace_id == made.last_sent().trace_id


def test_spans_follow_a_wall_clock_that_was_set_but_not_its_jitter(made: Setup) -> None:
    begun_ns = []
    for step_ms in (0, limits.trace_clock_step_ms, 3_600_000):
        made.clock.wall += step_ms
        made.clock.go_on(limits.trace_clock_check_ms)
        made.export(1)
        begun_ns.append(made.last_sent().start_time_unix_nano)
    assert begun_ns == [begun_ns[0]] * 2 + [begun_ns[0] + 3_600_010 * 1_000_000]
