"""Traces: which requests are drawn, and their spans.

A request is drawn before anything is made for it. One that is not drawn costs a draw, and two readings of
the clock on the long way. One that is drawn leaves a record in a ring after its answer; compiled code does
that on the short way. The thread that exports (`tracing.py`) makes spans of the records. A request that was
not drawn but was slow or failed (an unknown outcome is a failure) leaves its record in a reservoir, so that
the traces show what operators look for.
"""

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextvars import ContextVar, Token
from functools import lru_cache
from types import TracebackType
from typing import Any, Literal, NamedTuple, Self
from urllib.parse import urlsplit

import msgspec

from fastpay import limits
from fastpay._native import digit_runs
from fastpay._native.sampling import Sampler, sampled_flag
from fastpay.clock import Clock
from fastpay.observability.exemplars import Exemplars

# What a histogram has counted: the labels of its series, the duration, and when it ended (monotonic).
Measurement = tuple[tuple[str, ...], int, int]
# Of the drawn span around the running code, None if there is none: what is added becomes its exemplars.
measuring: ContextVar[list[Measurement] | None] = ContextVar("measuring", default=None)

# The drawn request on whose behalf the running code calls other services, None if there is none.
calling: ContextVar["Trace | None"] = ContextVar("calling", default=None)

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


class About(msgspec.Struct, frozen=True, eq=False):
    """What many spans have in common, kept once.

    If `route` is given, each span has a `url.path` of its own: the path, or the route if the path may hold a
    card number. `series` has the labels of the request in the metrics.
    """

    name: str
    kind: Literal["server", "client"]
    attributes: Mapping[str, str | int] = {}
    error: str | None = None
    route: str | None = None
    series: tuple[str, str, str, str] | None = None


class Span(msgspec.Struct, frozen=True):
    """A span that has ended. Times are of the monotonic clock; `error` is what kind of failure it was."""

    about: About
    trace: Trace
    ended_ns: int
    # The attributes that other spans of the same kind do not share.
    own: Mapping[str, str | int] = {}
    error: str | None = None
    links: Sequence[Trace] = ()
    measured: Sequence[Measurement] = ()

    @property
    def name(self) -> str:
        """What it is called."""
        return self.about.name

    @property
    def attributes(self) -> dict[str, str | int]:
        """All attributes."""
        return {**self.about.attributes, **self.own}


class Request(NamedTuple):
    """The record of a request that was answered. Compiled code makes it as a plain tuple.

    Without a `trace` its identifiers are made at export, below those of the caller's headers `parent` and
    `state`. `route` is the template of its path, None if there is none.
    """

    trace: Trace | None
    method: str
    path: str
    scheme: str
    version: str
    route: str | None
    status: int
    request_id: str
    begun_ns: int
    ended_ns: int
    parent: str | None
    state: str | None


_HOME = About("HOME fastpay", "server")
_BATCH = About("BATCH fastpay", "client", {"db.system.name": "postgresql", "db.operation.name": "BATCH"})


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

    def __init__(self, made: Callable[[str | None, list[Measurement]], None]) -> None:
        self._made = made
        self._error: str | None = None
        self._measured: list[Measurement] = []
        self._token: Token[list[Measurement] | None] | None = None

    def failed(self, reason: str) -> None:
        """Mark the span as failed."""
        self._error = reason

    def __enter__(self) -> Self:
        """Collect what is measured from now on."""
        self._token = measuring.set(self._measured)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Make the span."""
        assert self._token is not None
        measuring.reset(self._token)
        self._made(self._error if kind is None else kind.__qualname__, self._measured)


class Tracer:
    """Draws requests, and keeps what is drawn, slow or failed until it is exported."""

    def __init__(self, sampler: Sampler, clock: Clock, *, slow_ms: int = limits.trace_slow_ms) -> None:
        self.sampler = sampler
        self.slow_ns = slow_ms * 1_000_000
        self._clock = clock
        # The time that spans begin and end by. Without another call in between: every request reads it twice.
        self.now_ns: Callable[[], int] = clock.monotonic_ns
        self.exemplars = Exemplars()
        self.spans_exported = 0
        self.spans_dropped = 0
        self._ring: deque[Span | Request] = deque(maxlen=limits.trace_ring_spans)
        # Called by compiled code too, with a tuple that has the fields of `Request`.
        self.record: Callable[[Span | Request], None] = self._ring.append
        # Requests that were drawn a short time ago: the webhooks that they cause are part of their traces.
        self._requests: dict[str, Trace] = {}
        self._kept: list[Request] = []
        self._seen = 0

    def begin(self, headers: Mapping[str, str], begun_ns: int, *, is_drawn: bool = False) -> Trace | None:
        """Draw a request, unless `is_drawn` says that it is; return None if it is not drawn."""
        parent = headers.get("traceparent")
        if not is_drawn and not self.sampler.is_drawn(
            None if parent is None else parent.encode("latin-1"), begun_ns
        ):
            return None
        return self._trace(parent, headers.get("tracestate"), begun_ns)

    def is_kept(self, status: int, begun_ns: int) -> bool:
        """Tell whether a request that was answered now is kept without being drawn: it was slow or failed."""
        return status >= 500 or self.now_ns() - begun_ns >= self.slow_ns

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
        """Record a request that is drawn or `is_kept`. `route` is the template of its path."""
        ended_ns = self.now_ns()
        done = Request(
            trace,
            scope["method"],
            scope["path"],
            scope.get("scheme", "http"),
            scope.get("http_version", "1.1"),
            route,
            status,
            request_id,
            begun_ns,
            ended_ns,
            headers.get("traceparent"),
            headers.get("tracestate"),
        )
        if trace is None:
            self.keep(done)
        else:
            self.record(done)

    def forwarded(self, context: tuple[str, str]) -> Trace:
        """Return what begins for a command that another instance has forwarded, under its request's span."""
        return self._trace(*context, self.now_ns())

    def forwarded_ended(self, trace: Trace) -> None:
        """Make the span of a forwarded command."""
        self.record(Span(_HOME, trace, self.now_ns()))

    def batch(self, commands: int, drawn: Sequence[Trace]) -> NoSpan:
        """Return the span of a batch with drawn requests in it: below the first, linked to the others."""
        first, *others = drawn
        begun = self._trace(*first.to_headers(), self.now_ns())
        # The database conventions: a batch of one is not a batch.
        own: dict[str, str | int] = {"db.operation.batch.size": commands} if commands > 1 else {}

        def made(error: str | None, measured: list[Measurement]) -> None:
            self.record(Span(_BATCH, begun, self.now_ns(), own, error, others, measured))

        return _LiveSpan(made)

    def remember(self, request_id: str, trace: Trace) -> None:
        """Note the trace of a request that may cause events."""
        self._requests[request_id] = trace
        if len(self._requests) > limits.trace_requests_remembered:
            del self._requests[next(iter(self._requests))]

    def delivery(self, request_id: str | None) -> Trace | None:
        """Return what begins for an attempt to deliver an event, None if it is not drawn.

        It is drawn if the request that caused the event was, and is in its trace then. That holds for as long
        as the request is remembered, at the instance that carried it out.
        """
        return self._below(None if request_id is None else self._requests.get(request_id))

    def call(self) -> Trace | None:
        """Return what begins for a call to another service, None if it is not drawn.

        It is in the trace of the request on whose behalf it is made (`calling`), if that one was drawn. A
        call on nobody's behalf is drawn by itself.
        """
        return self._below(calling.get())

    def called(
        self,
        trace: Trace,
        method: str,
        url: str,
        *,
        status: int | None,
        measured: Sequence[Measurement] = (),
    ) -> None:
        """Make the span of a request to another service. Without a status there was no answer."""
        # The rest of the URL may carry the owner's secrets.
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or (80 if parts.scheme == "http" else 443)
        full = f"{parts.scheme}://{host}:{port}/REDACTED"
        own: dict[str, str | int] = {"server.address": host, "server.port": port, "url.full": full}
        if status is not None:
            own["http.response.status_code"] = status
        error = "no_answer" if status is None else str(status) if status >= 400 else None
        self.record(Span(_about_call(method), trace, self.now_ns(), own, error, (), measured))

    def keep(self, done: Request) -> None:
        """Put a record into the reservoir: of all since the last export, each is kept with the same chance.

        Source: Vitter, "Random Sampling with a Reservoir" (1985), algorithm R.
        """
        self._seen += 1
        if len(self._kept) < limits.trace_reservoir_spans:
            self._kept.append(done)
            return
        place = int.from_bytes(self._clock.random_bytes(8), "big") % self._seen
        if place < limits.trace_reservoir_spans:
            self._kept[place] = done

    def drain(self) -> list[Span]:
        """Return the spans since the last call."""
        return [one if isinstance(one, Span) else self._request_span(Request(*one)) for one in self.take()]

    def take(self) -> list[Span | Request]:
        """Return what was recorded since the last call. Another thread may call this, always the same one."""
        found: list[Span | Request] = []
        while self._ring:
            found.append(self._ring.popleft())
        if self._kept:
            kept, self._kept, self._seen = self._kept, [], 0
            found += kept
        return found

    def counts(self) -> dict[str, int]:
        """Return the counters since the start."""
        return {
            "traces_exported_spans": self.spans_exported,
            "traces_dropped_spans": self.spans_dropped,
            "traces_refused": self.sampler.refused,
        }

    def _below(self, request: Trace | None) -> Trace | None:
        begun_ns = self.now_ns()
        if request is not None:
            return self._trace(*request.to_headers(), begun_ns)
        return self._trace(None, None, begun_ns) if self.sampler.is_drawn(None, begun_ns) else None

    def _trace(self, parent: str | None, state: str | None, begun_ns: int) -> Trace:
        random = self._clock.random_bytes
        span_id = int.from_bytes(random(8), "big") or 1
        if parent is not None and sampled_flag(parent.encode("latin-1")) >= 0:
            return Trace(int(parent[3:35], 16), span_id, int(parent[36:52], 16), state or "", begun_ns)
        return Trace(int.from_bytes(random(16), "big") or 1, span_id, 0, "", begun_ns)

    def _request_span(self, done: Request) -> Span:
        about = about_request(done.method, done.route, done.status, done.scheme, done.version)
        own: dict[str, str | int] = {}
        if about.route is not None:
            own["url.path"] = about.route if digit_runs.in_text(done.path) else done.path
        own["fastpay.request_id"] = done.request_id
        trace = done.trace or self._trace(done.parent, done.state, done.begun_ns)
        return Span(about, trace, done.ended_ns, own, about.error)


@lru_cache
def _about_call(method: str) -> About:
    return About(method, "client", {"http.request.method": method})


@lru_cache(limits.trace_templates_max)
def about_request(method: str, route: str | None, status: int, scheme: str, version: str) -> About:
    """Return what the spans of such requests have in common. Without a route the path may hold anything."""
    # The caller chooses the method, so only known ones become labels.
    known = method if method in METHODS else "_OTHER"
    attributes: dict[str, str | int] = {
        "http.request.method": known,
        "url.scheme": scheme,
        "network.protocol.version": version,
        "http.response.status_code": status,
    }
    if known != method:
        attributes["http.request.method_original"] = method[:20]
    name = "HTTP" if known == "_OTHER" else known
    error = str(status) if status >= 500 else None
    if route is None:
        return About(name, "server", attributes | {"url.path": "REDACTED"}, error)
    attributes["http.route"] = route
    # The token in the path of a cardholder's page is a secret.
    is_secret = "{token}" in route
    if is_secret:
        attributes["url.path"] = route
    series = (known, route, "2" if version == "2" else "1.1", f"{status // 100}xx")
    shown = None if is_secret else route
    return About(f"{name} {route}", "server", attributes, error, shown, series)


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
