"""Turns traces on if the standard OTEL_* variables name an exporter.

They are off otherwise, and OpenTelemetry is not imported.
"""

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from fastpay import limits
from fastpay._native.sampling import Sampler
from fastpay.clock import SystemClock
from fastpay.errors import ConfigurationError
from fastpay.observability import traces
from fastpay.observability.collector import Collector, read_settings
from fastpay.observability.program_name import install_command

if TYPE_CHECKING:
    from fastpay.observability.tracing import ExportThread

EXPORTERS = ("otlp", "console", "none")

_thread: "ExportThread | None" = None


def set_up_tracing(environment: Mapping[str, str] | None = None) -> bool:
    """Turn tracing on if the OTEL_* variables name an exporter; return whether it is on.

    Raises: ConfigurationError if the exporter is not installed or unknown.
    """
    global _thread  # noqa: PLW0603 - one process exports once
    environment = os.environ if environment is None else environment
    exporter = _choose_exporter(environment)
    if exporter is None:
        return False
    interval_ms = _interval_ms(environment)
    # Fails before anything runs if a variable is wrong.
    collector = Collector(read_settings(environment)) if exporter == "otlp" else None
    try:
        from fastpay.observability import tracing  # noqa: PLC0415 - imports the SDK, which only the otel extra brings
    except ImportError as error:
        raise ConfigurationError(
            f"OTEL_* variables enable traces, but {error.name} is not installed; "
            f"run {install_command('otel')}, or unset them"
        ) from error
    clock = SystemClock()
    sampler = Sampler(
        root_share(environment),
        clock.random_bytes(8),
        follows_callers=_sampler_of(environment).startswith("parentbased_"),
        per_second_max=limits.traces_per_second_max,
    )
    tracer = traces.Tracer(sampler, clock)
    chosen = tracing.make_exporter(tracer, collector, clock)
    _thread = tracing.ExportThread(chosen, interval_ms=interval_ms)
    _thread.start()
    traces.use(tracer)
    return True


def stop_tracing() -> None:
    """Turn tracing off, and export pending spans within the flush timeout."""
    global _thread
    thread, _thread = _thread, None
    traces.use(None)
    if thread is not None:
        thread.stop()


def root_share(environment: Mapping[str, str]) -> float:
    """Return the share of requests without a caller's trace that the OTEL_* variables sample."""
    name = _sampler_of(environment)
    if name.endswith("always_off"):
        return 0.0
    if name.endswith("traceidratio"):
        try:
            return min(max(float(environment.get("OTEL_TRACES_SAMPLER_ARG", "")), 0.0), 1.0)
        except ValueError:
            return 1.0
    return 1.0


def _interval_ms(environment: Mapping[str, str]) -> int:
    text = environment.get("OTEL_BSP_SCHEDULE_DELAY", "").strip()
    if not text:
        return limits.trace_export_interval_ms
    if not text.isdecimal() or not 0 < int(text) <= limits.trace_export_interval_ms_max:
        raise ConfigurationError(
            f"setting OTEL_BSP_SCHEDULE_DELAY = {text!r} is not allowed; it must be milliseconds, "
            f"from 1 to {limits.trace_export_interval_ms_max}"
        )
    return int(text)


def _sampler_of(environment: Mapping[str, str]) -> str:
    return environment.get("OTEL_TRACES_SAMPLER", "").strip().lower() or "parentbased_always_on"


def _choose_exporter(environment: Mapping[str, str]) -> str | None:
    if environment.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return None
    exporter = environment.get("OTEL_TRACES_EXPORTER", "").strip()
    endpoints = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
    if not exporter and any(environment.get(name) for name in endpoints):
        exporter = "otlp"
    if exporter in ("", "none"):
        return None
    if exporter not in EXPORTERS:
        raise ConfigurationError(
            f"setting OTEL_TRACES_EXPORTER = {exporter!r} is not allowed; "
            f"it must be one of {', '.join(EXPORTERS)}"
        )
    for name in ("OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"):
        if environment.get(name, "http/protobuf") != "http/protobuf":
            raise ConfigurationError(
                f"setting {name} = {environment[name]!r} is not allowed; it must be http/protobuf"
            )
    return exporter
