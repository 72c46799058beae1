"""Set-up of OpenTelemetry's SDK. Imported only when tracing is on, because it needs the otel extra."""

import os
from collections.abc import Sequence

from opentelemetry import context
from opentelemetry.context import Context
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SpanExporter
from opentelemetry.sdk.trace.sampling import Decision, Sampler, SamplingResult
from opentelemetry.trace import Link, SpanKind, TraceState, get_current_span
from opentelemetry.util.types import Attributes

from fastpay import __version__

_DRAWN = context.create_key("fastpay-drawn")


class DrawnSampler(Sampler):
    """Samples requests that were drawn before; another sampler decides about all others."""

    def __init__(self, sampler: Sampler) -> None:
        self._sampler = sampler

    def should_sample(
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        trace_state: TraceState | None = None,
    ) -> SamplingResult:
        """Decide about one span."""
        if parent_context is not None and context.get_value(_DRAWN, parent_context):
            state = get_current_span(parent_context).get_span_context().trace_state
            return SamplingResult(Decision.RECORD_AND_SAMPLE, attributes, state)
        return self._sampler.should_sample(
            parent_context, trace_id, name, kind, attributes, links, trace_state
        )

    def get_description(self) -> str:
        """Return the name of the sampler."""
        return self._sampler.get_description()


def drawn(parent: Context) -> Context:
    """Return a context in which the next span is sampled."""
    return context.set_value(_DRAWN, True, parent)


def root_share() -> float:
    """Return the share of requests without a parent that the OTEL_* variables sample."""
    name = os.environ.get("OTEL_TRACES_SAMPLER", "").lower()
    if name.endswith("always_off"):
        return 0.0
    if name.endswith("traceidratio"):
        try:
            return min(max(float(os.environ.get("OTEL_TRACES_SAMPLER_ARG", "")), 0.0), 1.0)
        except ValueError:
            return 1.0
    return 1.0


def make_provider(exporter: str) -> TracerProvider:
    """Return a provider that samples and exports as the OTEL_* variables say."""
    attributes: dict[str, str] = {"service.version": __version__}
    if not os.environ.get("OTEL_SERVICE_NAME"):
        attributes[SERVICE_NAME] = "fastpay"
    provider = TracerProvider(resource=Resource.create(attributes))
    provider.sampler = DrawnSampler(provider.sampler)
    provider.add_span_processor(BatchSpanProcessor(_make_exporter(exporter)))
    return provider


def _make_exporter(exporter: str) -> SpanExporter:
    if exporter == "console":
        return ConsoleSpanExporter()
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415 - pulls in requests
        OTLPSpanExporter,
    )

    return OTLPSpanExporter()
