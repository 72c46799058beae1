"""What all connections of a server share: the application, its limits, timers and tasks."""

import logging
from asyncio import CancelledError
from email.utils import formatdate

cimport cython

from fastpay._native.histograms cimport monotonic
from fastpay._native.peers cimport Peers
from fastpay._native.reading cimport Reading
from fastpay._native.runner cimport Runner
from fastpay._native.target cimport split_target
from fastpay._native.wheel cimport Wheel

from fastpay import limits
from fastpay._native.reading import build_names

logger = logging.getLogger(__name__)

# The scope key under which the application stores the number of the route.
cdef str ROUTE = "fastpay.route"

# Refusals for other reasons than the bytes; server/refusal.py lists all numbers.
HEAD_TIMEOUT = 64
BODY_TIMEOUT = 65
CONNECTIONS_EXHAUSTED = 66
HANDLER_FAILED = 67
CONNECTION_SHARE = 68
CONNECTION_RATE = 69
HANDSHAKE_RATE = 70
INFLIGHT_EXHAUSTED = 71
INFLIGHT_SHARE = 72

cdef enum:
    POOLED_READINGS_MAX = 64


def _is_never(host):
    return False


@cython.final
cdef class Service:
    """One application, its limits, and what its connections share."""

    def __init__(
        self,
        app,
        loop,
        settings,
        *,
        clock,
        refuse,
        switch_to_http2,
        server,
        scheme,
        is_exempt=_is_never,
        group_of=str,
        bytes_budget=None,
    ):
        cdef double tick = settings.tick_ms / 1000
        self.app = app
        self.loop = loop
        self.clock = clock
        self.refuse = refuse
        self.switch_to_http2 = switch_to_http2
        self.is_tls = scheme == "https"
        self.runner = Runner(loop)
        self.group_of = group_of
        self.bytes_budget = bytes_budget
        self.wheel = Wheel(loop, tick, self.tick)
        self.peers = Peers(settings.connections_max, is_exempt)
        self.names = build_names(settings.single_headers)
        self.pool = None
        self.pooled = 0
        self.http2_connections = set()
        self.state = None
        self.forwarded = None
        self.template = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": "1.1",
            "method": "GET",
            "scheme": scheme,
            "path": "/",
            "raw_path": b"/",
            "query_string": b"",
            "root_path": settings.root_path,
            "headers": [],
            "client": None,
            "server": server,
            "extensions": {},
        }
        self.bounds.target_bytes = settings.target_bytes_max
        self.bounds.header_bytes = settings.header_bytes_max
        self.bounds.header_count = settings.header_count_max
        self.bounds.body_bytes = settings.body_bytes_max
        self.connections_max = settings.connections_max
        self.connection_requests_max = settings.connection_requests_max
        self.ahead_bytes_max = settings.ahead_bytes_max
        self.linger_bytes_max = settings.linger_bytes_max
        self.head_ticks = _ticks(settings.head_timeout_ms, settings.tick_ms)
        self.body_ticks = _ticks(settings.body_timeout_ms, settings.tick_ms)
        self.idle_ticks = _ticks(settings.idle_timeout_ms, settings.tick_ms)
        self.write_ticks = _ticks(settings.write_timeout_ms, settings.tick_ms)
        self.linger_ticks = _ticks(settings.linger_timeout_ms, settings.tick_ms)
        self.handshake_ticks = _ticks(limits.tls_handshake_timeout_ms, settings.tick_ms)
        self.shutdown_ticks = _ticks(limits.tls_shutdown_timeout_ms, settings.tick_ms)
        self.update_date()

    def tick(self):
        self.update_date()
        if self.bytes_budget is not None:
            self.bytes_budget.tick()

    def update_date(self):
        second = self.clock.now_ms() // 1000
        if second != self.date_second:
            self.date_second = second
            self.date_value = formatdate(second, usegmt=True).encode()
            self.date = b"date: " + self.date_value + b"\r\n"

    def enter(self):
        self.connection_count += 1

    def leave(self):
        self.connection_count -= 1
        if self.connection_count == 0 and self.on_empty is not None:
            self.on_empty()

    def when_empty(self, function):
        self.on_empty = function
        if self.connection_count == 0:
            function()

    def count_request(self):
        self.request_count += 1

    def now_ns(self):
        return monotonic()

    def count_answer(self, Py_ssize_t route, dict scope, int status, long long begun_ns):
        if self.request_times is not None:
            self.time_request(route, scope, True, status, begun_ns)

    cdef void time_request(self, Py_ssize_t route, dict scope, bint is_http2, int status, long long begun_ns):
        # Series: route, then protocol, then class of status from 2xx to 5xx.
        if route == 0 and scope is not None:
            found = scope.get(ROUTE)
            if found is not None:
                route = found
        self.request_times.add((route * 2 + is_http2) * 4 + status // 100 - 2, monotonic() - begun_ns)

    cdef int build_scope(self, Reading reading, object client, dict scope) except -1:
        # Fill a copy of the template from the request; return 0 or a refusal.
        cdef int fault
        if reading.is_version_1_0:
            scope["http_version"] = "1.0"
        scope["method"] = reading.method
        scope["headers"] = reading.headers
        scope["client"] = client
        fault = split_target(reading.target, reading.host, reading.method, scope)
        if fault:
            return fault
        if self.state is not None:
            scope["state"] = self.state.copy()
        if self.forwarded is not None:
            self.forwarded(scope)
        return 0

    cdef Reading lend(self):
        cdef Reading reading = self.pool
        if reading is None:
            return Reading(self.names)
        self.pool = reading.next
        self.pooled -= 1
        reading.next = None
        return reading

    cdef int take_back(self, Reading reading) except -1:
        # llhttp reads nothing after a message that ends its connection, so such a parser cannot be reused.
        if self.pooled < POOLED_READINGS_MAX and not reading.is_last():
            reading.next = self.pool
            self.pool = reading
            self.pooled += 1
        return 0


def log_failure(error, is_disconnected):
    """Log the exception that ended a handler, at the level it deserves."""
    if isinstance(error, CancelledError):
        # Cancelled by the application itself, or by a stop whose timeout is over.
        logger.info("handler_cancelled")
    elif not (is_disconnected and isinstance(error, OSError)):
        logger.error("handler_failed", exc_info=error)


cdef long long _ticks(timeout_ms, tick_ms):
    return max(1, -(-timeout_ms // tick_ms) + 1)
