"""Log lines (event and fields) and, if configured, traces.

Traces are off unless the standard OTEL_* variables name an exporter. When they are off, a span costs one
look at a module's attribute, and OpenTelemetry is not imported.
"""

import logging
import os
import sys
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import msgspec

from fastpay import limits
from fastpay.errors import ConfigurationError
from fastpay.observability.program_name import install_command

if TYPE_CHECKING:
    from opentelemetry.trace import Span, SpanContext, Tracer

EXPORTERS = ("otlp", "console", "none")
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"})


class Log:
    """Writes events: a name from the code, and fields. No secrets, no bodies, no card data."""

    def __init__(self, name: str) -> None:
        self._logger = logging.getLogger(name)

    def debug(self, event: str, /, **fields: object) -> None:
        """Log something for developers."""
        self._write(logging.DEBUG, event, fields)

    def info(self, event: str, /, **fields: object) -> None:
        """Log something that happens a few times in the life of a process, never for each request."""
        self._write(logging.INFO, event, fields)

    def warning(self, event: str, /, **fields: object) -> None:
        """Log something that went wrong and was handled."""
        self._write(logging.WARNING, event, fields)

    def error(self, event: str, /, **fields: object) -> None:
        """Log something that an operator must act on."""
        self._write(logging.ERROR, event, fields)

    def exception(self, event: str, /, **fields: object) -> None:
        """Log a bug, with the traceback of the exception being handled."""
        self._logger.error(event, exc_info=sys.exc_info(), extra={"fields": fields})

    def _write(self, level: int, event: str, fields: Mapping[str, object]) -> None:
        if self._logger.isEnabledFor(level):
            self._logger.log(level, event, extra={"fields": fields})


log = Log("fastpay")


class FieldFormatter(logging.Formatter):
    """Formats a record as one line: time, level, event, key=value."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line; control characters in values are escaped, so that no value can forge a line."""
        fields = getattr(record, "fields", {})
        pairs = "".join(f" {name}={_quote(value)}" for name, value in fields.items())
        stamp = self.formatTime(record, "%Y-%m-%dT%H:%M:%S")
        head = f"{stamp}.{int(record.msecs):03d}Z {record.levelname.lower()}"
        line = f"{head} {_clean(record.getMessage())}{pairs}"
        if record.exc_info:
            line += "\n" + self.formatException(record.exc_info)
        return line


class JsonFormatter(logging.Formatter):
    """Formats a record as one line: a JSON object with time, level, event, and the fields beside them."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line. JSON escapes control characters, so that no value can forge a line."""
        fields = {name: _plain(value) for name, value in getattr(record, "fields", {}).items()}
        if record.exc_info:
            fields["traceback"] = _encodable(self.formatException(record.exc_info))
        event = _encodable(record.getMessage())
        return json_line(record.created, record.levelname.lower(), event, **fields)


def json_line(moment_s: float, level: str, event: str, /, **fields: object) -> str:
    """Return a line of the log in JSON, without its end."""
    second, thousandth = divmod(round(moment_s * 1000), 1000)
    stamp = f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(second))}.{thousandth:03d}Z"
    return msgspec.json.encode({"time": stamp, "level": level, "event": event, **fields}).decode()


def write_lines(lines: Sequence[str]) -> None:
    """Write lines to standard error in one piece, between those of the handler. It may block."""
    handler = logging.getLogger().handlers[0]
    assert isinstance(handler, logging.StreamHandler)
    handler.acquire()
    try:
        handler.stream.write("".join(f"{line}\n" for line in lines))
        handler.flush()
    finally:
        handler.release()


def set_up_logging(level: str, *, is_json: bool = False) -> None:
    """Log to standard error: fastpay's lines of `level` and above, other libraries' warnings."""
    handler = logging.StreamHandler(sys.stderr)
    formatter = JsonFormatter() if is_json else FieldFormatter()
    formatter.converter = time.gmtime
    handler.setFormatter(formatter)
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("fastpay").setLevel(level.upper())


class NoSpan:
    """Replaces a span while tracing is off."""

    context: "SpanContext | None" = None

    def answered(self, status_code: int) -> None:
        """Ignore the status."""

    def __enter__(self) -> Self:
        """Do nothing."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Do nothing."""


class LiveSpan(NoSpan):
    """A span that is current inside its `with` block; an exception marks it as failed."""

    def __init__(self, manager: "AbstractContextManager[Span]") -> None:
        self._manager = manager
        self._span: Span | None = None

    def answered(self, status_code: int) -> None:
        """Record the status of the response; 5xx is an error by the HTTP conventions."""
        if self._span is not None:
            self._span.set_attribute("http.response.status_code", status_code)
            if status_code >= 500:
                self._span.set_attribute("error.type", str(status_code))
                self._span.set_status(_errored())

    def __enter__(self) -> Self:
        """Start the span."""
        self._span = self._manager.__enter__()
        self.context = self._span.get_span_context()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the span."""
        if kind is not None and self._span is not None:
            self._span.set_attribute("error.type", kind.__qualname__)
        self._manager.__exit__(kind, error, trace)


NO_SPAN = NoSpan()
_tracer: "Tracer | None" = None
_provider: Any = None  # The SDK's provider: the SDK is an extra, its types may be absent.
_root_share = 1.0


def request_span(
    method: str,
    route: str,
    *,
    headers: Iterable[tuple[bytes, bytes]] = (),
    scheme: str = "http",
    is_drawn: bool | None = None,
) -> NoSpan:
    """Return the span of one HTTP request, to be used with `with`.

    `route` is the route's template (`/v1/charges/{charge}`), never the path; `headers` are the ASGI ones
    and may carry the caller's trace. `is_drawn` says whether to sample, if that was decided before.
    """
    if _tracer is None or is_drawn is False:
        return NO_SPAN
    return _begin_request(_tracer, method, route, headers, scheme, is_drawn=is_drawn is True)


def to_headers(context: "SpanContext") -> tuple[str, str]:
    """Return a span's context as the headers traceparent and tracestate have it (W3C Trace Context)."""
    parent = f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"
    return parent, context.trace_state.to_header()


def forwarded_span(trace: tuple[str, str] | None) -> "Span | None":
    """Start the span of a command that another instance has forwarded, under that of its request.

    It is None if the request has no span, or tracing is off. Whoever gets it ends it.
    """
    if _tracer is None or trace is None:
        return None
    from opentelemetry import propagate  # noqa: PLC0415 - only once tracing is on
    from opentelemetry.trace import SpanKind  # noqa: PLC0415

    context = propagate.extract({"traceparent": trace[0], "tracestate": trace[1]})
    return _tracer.start_span("HOME fastpay", context=context, kind=SpanKind.SERVER)


def batch_span(commands: int, *, links: Iterable["SpanContext | None"] = ()) -> NoSpan:
    """Return the span of one batch at the database, linked to the requests whose commands are in it."""
    if _tracer is None:
        return NO_SPAN
    return _begin_batch(_tracer, commands, links)


def set_up_tracing(environment: Mapping[str, str] | None = None) -> bool:
    """Turn tracing on if the OTEL_* variables name an exporter; return whether it is on.

    Raises: ConfigurationError if the exporter is not installed or unknown.
    """
    global _tracer, _provider, _root_share  # noqa: PLW0603 - one process has one tracer, looked at on every request
    environment = os.environ if environment is None else environment
    exporter = _choose_exporter(environment)
    if exporter is None:
        return False
    try:
        from fastpay.observability import tracing  # noqa: PLC0415 - imports the SDK, which only the otel extra brings
    except ImportError as error:
        raise ConfigurationError(
            f"OTEL_* variables enable traces, but {error.name} is not installed; "
            f"run {install_command('otel')}, or unset them"
        ) from error
    _provider = tracing.make_provider(exporter)
    _tracer = _provider.get_tracer("fastpay")
    _root_share = tracing.root_share()
    return True


def is_tracing() -> bool:
    """Return whether tracing is on."""
    return _tracer is not None


def root_share() -> float:
    """Return the share of requests without a caller's trace that are sampled."""
    return 0.0 if _tracer is None else _root_share


def stop_tracing() -> None:
    """Export pending spans within the flush timeout, and turn tracing off."""
    global _tracer, _provider
    provider, _tracer, _provider = _provider, None, None
    if provider is not None:
        # An exporter's own timeouts are longer than a stop may take.
        flusher = threading.Thread(target=provider.shutdown, daemon=True)
        flusher.start()
        flusher.join(limits.trace_flush_timeout_ms / 1000)


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


def _begin_request(
    tracer: "Tracer",
    method: str,
    route: str,
    headers: Iterable[tuple[bytes, bytes]],
    scheme: str,
    *,
    is_drawn: bool,
) -> NoSpan:
    from opentelemetry import propagate  # noqa: PLC0415 - only once tracing is on
    from opentelemetry.trace import SpanKind  # noqa: PLC0415

    carrier = {
        name.decode("latin-1"): value.decode("latin-1")
        for name, value in headers
        if name in (b"traceparent", b"tracestate", b"baggage")
    }
    context = propagate.extract(carrier)
    if is_drawn:
        from fastpay.observability import tracing  # noqa: PLC0415

        context = tracing.drawn(context)
    # The caller chooses the method, so only known ones become labels.
    known = method if method in METHODS else "_OTHER"
    return LiveSpan(
        tracer.start_as_current_span(
            f"{known if known != '_OTHER' else 'HTTP'} {route}",
            context=context,
            kind=SpanKind.SERVER,
            attributes={"http.request.method": known, "http.route": route, "url.scheme": scheme},
        )
    )


def _begin_batch(tracer: "Tracer", commands: int, links: Iterable["SpanContext | None"]) -> NoSpan:
    from opentelemetry.trace import Link, SpanKind  # noqa: PLC0415 - only once tracing is on

    attributes: dict[str, str | int] = {"db.system.name": "postgresql", "db.operation.name": "BATCH"}
    if commands > 1:  # The database conventions: a batch of one is not a batch.
        attributes["db.operation.batch.size"] = commands
    return LiveSpan(
        tracer.start_as_current_span(
            "BATCH fastpay",
            kind=SpanKind.CLIENT,
            attributes=attributes,
            links=[Link(context) for context in links if context is not None],
        )
    )


def _errored() -> Any:
    from opentelemetry.trace import Status, StatusCode  # noqa: PLC0415 - only once tracing is on

    return Status(StatusCode.ERROR)


def _plain(value: object) -> object:
    """Return a value as JSON has it."""
    return value if value is None or isinstance(value, bool | int | float) else _short(value)


def _encodable(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


def _short(value: object) -> str:
    text = _encodable(str(value))
    return text if len(text) <= limits.log_value_chars_max else text[: limits.log_value_chars_max] + "..."


def _quote(value: object) -> str:
    text = _short(value)
    if text.isprintable() and text and not any(sign in text for sign in ' "=\\'):
        return text
    return '"' + _clean(text.replace("\\", "\\\\").replace('"', '\\"')) + '"'


def _clean(text: str) -> str:
    """Escape unprintable characters, so that no text can forge a line."""
    return "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in text)
