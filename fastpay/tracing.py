"""OpenTelemetry's SDK, set up. Imported only when tracing is on, since only the otel extra brings it."""

import os

from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SpanExporter

from fastpay import __version__


def make_provider(exporter: str) -> TracerProvider:
    """Return a provider that samples and exports as the OTEL_* variables say."""
    attributes: dict[str, str] = {"service.version": __version__}
    if not os.environ.get("OTEL_SERVICE_NAME"):
        attributes[SERVICE_NAME] = "fastpay"
    provider = TracerProvider(resource=Resource.create(attributes))
    provider.add_span_processor(BatchSpanProcessor(_make_exporter(exporter)))
    return provider


def _make_exporter(exporter: str) -> SpanExporter:
    if exporter == "console":
        return ConsoleSpanExporter()
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415 - pulls in requests
        OTLPSpanExporter,
    )

    return OTLPSpanExporter()
