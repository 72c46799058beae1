"""fastpay/observability/trace_setup.py"""

import subprocess
import sys

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import Decision

from fastpay.errors import ConfigurationError
from fastpay.observability import trace_setup, traces


def test_tracing_is_off_without_an_exporter() -> None:
    assert trace_setup.set_up_tracing({}) is False
    assert traces.tracer() is None
    assert traces.batch_span(3, [None]) is traces.NO_SPAN


@pytest.mark.parametrize(
    "environment",
    [
        {"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://x"},
        {"OTEL_TRACES_EXPORTER": "otlp", "OTEL_SDK_DISABLED": "true"},
        {"OTEL_SERVICE_NAME": "pay"},
    ],
)
def test_tracing_stays_off_when_the_variables_say_so(environment: dict[str, str]) -> None:
    assert trace_setup.set_up_tracing(environment) is False


@pytest.mark.parametrize(
    "environment",
    [
        {"OTEL_TRACES_EXPORTER": "zipkin"},
        {"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "collector:4318"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x", "OTEL_EXPORTER_OTLP_TIMEOUT": "soon"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x", "OTEL_EXPORTER_OTLP_HEADERS": "s3cret"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x", "OTEL_EXPORTER_OTLP_TRACES_COMPRESSION": "br"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x", "OTEL_BSP_SCHEDULE_DELAY": "0"},
    ],
)
def test_a_value_that_is_not_allowed_is_refused(environment: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError, match="is not allowed; it must be") as caught:
        trace_setup.set_up_tracing(environment)
    assert "s3cret" not in str(caught.value)


def test_opentelemetry_is_an_extra_and_named_where_tracing_is_on_without_it() -> None:
    code = (
        "import sys; sys.modules['opentelemetry'] = None\n"
        "import fastpay.operations.application\n"
        "from fastpay.observability.trace_setup import set_up_tracing\n"
        "set_up_tracing({})\n"
        "set_up_tracing({'OTEL_TRACES_EXPORTER': 'console'})\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    last = done.stderr.splitlines()[-1]
    assert last.startswith("fastpay.errors.ConfigurationError")
    assert "-m pip install 'fastpay" in last


@pytest.mark.parametrize(
    ("sampler", "argument", "share"),
    [
        (None, None, 1.0),
        ("parentbased_always_on", None, 1.0),
        ("always_off", None, 0.0),
        ("parentbased_always_off", "0.5", 0.0),
        ("traceidratio", "0.01", 0.01),
        ("parentbased_traceidratio", "0.25", 0.25),
        # What the SDK makes of them.
        ("traceidratio", "nonsense", 1.0),
        ("traceidratio", None, 1.0),
        ("unheard_of", "0.1", 1.0),
    ],
)
def test_the_share_of_traced_requests_is_the_one_that_the_sdk_takes_from_the_variables(
    monkeypatch: pytest.MonkeyPatch, sampler: str | None, argument: str | None, share: float
) -> None:
    wanted = {"OTEL_TRACES_SAMPLER": sampler, "OTEL_TRACES_SAMPLER_ARG": argument}
    for name, value in wanted.items():
        monkeypatch.delenv(name, raising=False)
        if value is not None:
            monkeypatch.setenv(name, value)
    given = {name: value for name, value in wanted.items() if value is not None}
    assert trace_setup.root_share(given) == share
    # The same of the SDK's own mouth: identifiers just below and just above the share.
    provider = TracerProvider()
    for draw, is_taken in ((share - 0.001, True), (share + 0.001, False)):
        if 0 < draw < 1:
            taken = provider.sampler.should_sample(None, int(draw * 2**64), "GET /").decision
            assert (taken is Decision.RECORD_AND_SAMPLE) is is_taken
    provider.shutdown()


def test_an_endpoint_alone_turns_tracing_on_and_a_stop_turns_it_off() -> None:
    try:
        # Nobody listens on port 9: with nothing recorded, nothing is sent.
        assert trace_setup.set_up_tracing({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}) is True
        assert traces.tracer() is not None
    finally:
        trace_setup.stop_tracing()
    assert traces.tracer() is None
