"""Traces: which requests are drawn, and their spans.

A request is drawn before anything is made for it. One that is not drawn costs a draw, and two readings of
the clock on the long way. Spans are made after the answer, from timestamps, and wait in a ring for the thread
that exports them (`tracing.py`). A request that was not drawn but was slow or failed (an unknown outcome is a
failure) leaves its span in a reservoir, so that the traces show what operators look for.
"""

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, Literal, Self

import msgspec

from fastpay import limits
from fastpay._native import digit_runs
from fastpay._native.sampling import Sampler, sampled_flag
from fastpay.clock import Clock

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"})


class Trace(msgspec.Struct, frozen=True, gc=False):
    """A request that was drawn, before its span is made. `parent_id` is 0 if no caller has a span."""

    trace_id: int
    span_id: int
    parent_id: int
    state: str
    begun_ns: int

    def to_headers(self) -> tuple[str, str]:
        """Return the context as the headers traceparent and tracestate have it (W3C Trace Context)."""
        return f"00-{self.trace_id:032x}-{self.span_id:016x}-01", self.state


class Span(msgspec.Struct, frozen=True):
    """A span that has ended. Times are of the monotonic clock; `error` is what kind of failure it was."""

    name: str
    kind: Literal["server", "client"]
    trace: Trace
    ended_ns: int
    attributes: Mapping[str, str | int]
    error: str | None = None
    links: Sequence[Trace] = ()


class NoSpan:
    """Replaces a span that is not made."""

    def failed(self, reason: str) -> None:
        """Ignore a failure."""

    def __enter__(self) -> Self:
        """Do nothing."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Do nothing."""


NO_SPAN = NoSpan()


class _LiveSpan(NoSpan):
    """Makes its span at the end of its `with` block; an exception marks it as failed."""

    def __init__(self, made: Callable[[str | None], None]) -> None:
        self._made = made
        self._error: str | None = None

    def failed(self, reason: str) -> None:
        """Mark the span as failed."""
        self._error = reason

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Make the span."""
        self._made(self._error if kind is None else kind.__qualname__)


class Tracer:
    """Draws requests, and keeps the spans of those that are drawn, slow or failed until they are exported."""

    def __init__(self, sampler: Sampler, clock: Clock, *, slow_ms: int = limits.trace_slow_ms) -> None:
        self.sampler = sampler
        self.slow_ns = slow_ms * 1_000_000
        self._clock = clock
        self._ring: deque[Span] = deque(maxlen=limits.trace_ring_spans)
        self._kept: list[Span] = []
        self._seen = 0

    def now_ns(self) -> int:
        """Return the time that spans begin and end by."""
        return self._clock.monotonic_ns()

    def begin(self, headers: Mapping[str, str], begun_ns: int) -> Trace | None:
        """Draw a request; return None if it is not drawn."""
        parent = headers.get("traceparent")
        if not self.sampler.is_drawn(None if parent is None else parent.encode("latin-1"), begun_ns):
            return None
        return self._trace(parent, headers.get("tracestate"), begun_ns)

    def answered(
        self,
        trace: Trace | None,
        scope: Mapping[str, Any],
        route: str | None,
        *,
        status: int,
        request_id: str,
        begun_ns: int,
        headers: Mapping[str, str],
    ) -> None:
        """Make the span of a request that is drawn, slow or failed. `route` is the template of its path."""
        if trace is None:
            if status < 500 and self.now_ns() - begun_ns < self.slow_ns:
                return
            undrawn = self._trace(headers.get("traceparent"), headers.get("tracestate"), begun_ns)
            self._keep(self._request_span(undrawn, scope, route, status, request_id))
        else:
            self._ring.append(self._request_span(trace, scope, route, status, request_id))

    def shortcut_answered(
        self,
        scope: Mapping[str, Any],
        path: str,
        status: int,
        request_id: str,
        begun_ns: int,
        parent: bytes | None,
        state: bytes | None,
        is_drawn: bool,
    ) -> None:
        """Make the span of a request that took the short way. `path` ends before the identifier."""
        texts = [None if one is None else one.decode("latin-1") for one in (parent, state)]
        trace = self._trace(texts[0], texts[1], begun_ns)
        span = self._request_span(trace, scope, path + "{id}", status, request_id)
        if is_drawn:
            self._ring.append(span)
        else:
            self._keep(span)

    def forwarded(self, context: tuple[str, str]) -> Trace:
        """Return what begins for a command that another instance has forwarded, under its request's span."""
        return self._trace(*context, self.now_ns())

    def forwarded_ended(self, trace: Trace) -> None:
        """Make the span of a forwarded command."""
        self._ring.append(Span("HOME fastpay", "server", trace, self.now_ns(), {}))

    def batch(self, commands: int, drawn: Sequence[Trace]) -> NoSpan:
        """Return the span of a batch with drawn requests in it: below the first, linked to the others."""
        first, *others = drawn
        begun = self._trace(*first.to_headers(), self.now_ns())
        attributes: dict[str, str | int] = {"db.system.name": "postgresql", "db.operation.name": "BATCH"}
        if commands > 1:  # The database conventions: a batch of one is not a batch.
            attributes["db.operation.batch.size"] = commands
        return self._live("BATCH fastpay", begun, attributes, others)

    def delivery(self) -> Trace | None:
        """Draw an attempt to deliver to a webhook endpoint, which begins now."""
        begun_ns = self.now_ns()
        return self._trace(None, None, begun_ns) if self.sampler.is_drawn(None, begun_ns) else None

    def delivered(self, trace: Trace, scheme: str, host: str, port: int, *, status: int | None) -> None:
        """Make the span of an attempt. Without a status there was no answer."""
        # The rest of the URL may carry the owner's secrets.
        attributes: dict[str, str | int] = {
            "http.request.method": "POST",
            "server.address": host,
            "server.port": port,
            "url.full": f"{scheme}://{host}:{port}/REDACTED",
        }
        if status is not None:
            attributes["http.response.status_code"] = status
        error = "no_answer" if status is None else str(status) if status >= 400 else None
        self._ring.append(Span("POST", "client", trace, self.now_ns(), attributes, error))

    def drain(self) -> list[Span]:
        """Return the spans since the last call. Another thread may call this."""
        kept, self._kept, self._seen = self._kept, [], 0
        found = []
        while self._ring:
            found.append(self._ring.popleft())
        return found + kept

    def _keep(self, span: Span) -> None:
        """Put a span into the reservoir: of all since the last export, each is kept with the same chance.

        Source: Vitter, "Random Sampling with a Reservoir" (1985), algorithm R.
        """
        self._seen += 1
        if len(self._kept) < limits.trace_reservoir_spans:
            self._kept.append(span)
            return
        place = int.from_bytes(self._clock.random_bytes(8), "big") % self._seen
        if place < limits.trace_reservoir_spans:
            self._kept[place] = span

    def _trace(self, parent: str | None, state: str | None, begun_ns: int) -> Trace:
        random = self._clock.random_bytes
        span_id = int.from_bytes(random(8), "big") or 1
        if parent is not None and sampled_flag(parent.encode("latin-1")) >= 0:
            return Trace(int(parent[3:35], 16), span_id, int(parent[36:52], 16), state or "", begun_ns)
        return Trace(int.from_bytes(random(16), "big") or 1, span_id, 0, "", begun_ns)

    def _request_span(
        self, trace: Trace, scope: Mapping[str, Any], route: str | None, status: int, request_id: str
    ) -> Span:
        # The caller chooses the method, so only known ones become labels.
        method: str = scope["method"]
        known = method if method in METHODS else "_OTHER"
        attributes: dict[str, str | int] = {
            "http.request.method": known,
            "url.scheme": scope.get("scheme", "http"),
            "url.path": _shown(scope["path"], route),
            "network.protocol.version": scope.get("http_version", "1.1"),
            "http.response.status_code": status,
            "fastpay.request_id": request_id,
        }
        if route is not None:
            attributes["http.route"] = route
        if known != method:
            attributes["http.request.method_original"] = method[:20]
        name = "HTTP" if known == "_OTHER" else known
        error = str(status) if status >= 500 else None
        full = name if route is None else f"{name} {route}"
        return Span(full, "server", trace, self.now_ns(), attributes, error)

    def _live(
        self, name: str, trace: Trace, attributes: Mapping[str, str | int], links: Sequence[Trace]
    ) -> NoSpan:
        def made(error: str | None) -> None:
            self._ring.append(Span(name, "client", trace, self.now_ns(), attributes, error, links))

        return _LiveSpan(made)


def _shown(path: str, route: str | None) -> str:
    """Return a path, or its template if it may hold a secret or a card number."""
    if route is None:
        return "REDACTED"
    # The token in the path of a cardholder's page is a secret.
    return route if "{token}" in route or digit_runs.in_text(path) else path


_tracer: Tracer | None = None


def tracer() -> Tracer | None:
    """Return what traces, None if traces are off."""
    return _tracer


def use(chosen: Tracer | None) -> None:
    """Trace from now on, or stop tracing."""
    global _tracer  # noqa: PLW0603 - one process has one tracer, looked at on every request
    _tracer = chosen


def batch_span(commands: int, traces: Iterable[Trace | None]) -> NoSpan:
    """Return the span of a batch at the database; there is one only if a drawn request is in it."""
    if _tracer is None:
        return NO_SPAN
    drawn = [trace for trace in traces if trace is not None]
    return _tracer.batch(commands, drawn) if drawn else NO_SPAN
