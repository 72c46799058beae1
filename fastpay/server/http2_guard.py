"""The client's side of one HTTP/2 connection: requests, bodies and deadlines.

Differences from Hypercorn 0.18.0, each with a test in tests/transport/test_http2_*.py:

- Late DATA for an answered stream is dropped and does not affect other streams.
- CONNECT is answered 501.
- A body that no handler reads closes only its own window.
- Bodies and writes have deadlines.
- Control frames and resets, also those that a client provokes, are paid from a budget.
- No number of requests ends a connection.
- All frames of one turn of the loop leave in one write.
"""

import logging
from typing import Any

from h2.errors import ErrorCodes
from hyperframe.frame import GoAwayFrame

from fastpay import limits
from fastpay._native.http2_request import LENGTH_DIFFERENT, TRAILERS_REFUSED, RequestPolicy
from fastpay._native.service import BODY_TIMEOUT, HANDLER_FAILED, Service, log_failure
from fastpay.server.http2_events import (
    CONTENT,
    REQUEST,
    RESET,
    SETTINGS_CHANGED,
    TERMINATED,
    TRAILERS,
    WINDOW_OPENED,
    Event,
    Headers,
    Http2Codec,
)
from fastpay.server.http2_stream import Stream
from fastpay.server.http2_streams import ServedStreams

logger = logging.getLogger(__name__)

_BODY_TOO_LARGE = 18


class GuardedH2(ServedStreams):
    """The state of one HTTP/2 connection: bytes in by `take_in`, bytes out by `take_out`."""

    def __init__(
        self,
        service: Service,
        settings: Any,
        policy: RequestPolicy,
        codec: Http2Codec,
        client: tuple[str, int] | None,
    ) -> None:
        super().__init__(service, settings, codec, client)
        self.policy = policy
        self.terminated = False
        self.last_stream = 0
        self._ready: list[Stream] = []
        self._credit = 0
        # The time by which a field block that has begun must be complete; 0 outside of one.
        self._block_due = 0.0

    def begin(self) -> None:
        """Send the server's settings."""
        self.connection.initiate_connection()

    def take_in(self, data: bytes) -> ErrorCodes | None:
        """Read bytes and start handlers; return the error that ends the connection, if there is one.

        Requests that were complete before the error are started.
        """
        events, fault = self.connection.read(data)
        for event in events:
            self._dispatch(event)
        self._give_credit()
        ready, self._ready = self._ready, []
        for stream in ready:
            # A reset in the same packet: the handler is not needed.
            if not stream.lost:
                self._run(stream)
        if not self.connection.in_block:
            self._block_due = 0.0
        elif not self._block_due:
            self._block_due = self.now + self.settings.head_timeout_ms / 1000
        return fault

    def read_on(self, data: bytes) -> int:
        """Read the frames that open windows for the remaining responses; return how many there were."""
        events = self.connection.read_on(data)
        for event in events:
            self._dispatch(event)
        return len(events)

    def give_up_incomplete(self) -> None:
        """Reset the incomplete requests; the others continue to their responses."""
        self.terminated = True
        for stream in list(self.streams.values()):
            if not stream.body_complete:
                # RFC 9113 8.7: REFUSED_STREAM if no handler has seen any of it, so that the client may send
                # it again.
                begun = stream.running or stream.head_sent
                self._reset(stream, ErrorCodes.CANCEL if begun else ErrorCodes.REFUSED_STREAM)

    def take_out(self) -> bytes:
        """Return the bytes to write."""
        return self.connection.data_to_send()

    def take_wasted(self) -> tuple[int, int]:
        """Return how many resets were provoked and frames dropped since the last call."""
        return self.connection.take_wasted()

    def lose(self) -> None:
        """Tell all handlers that the connection is gone."""
        self.closed = True
        streams, self.streams = self.streams, {}
        for stream in streams.values():
            stream.lose()

    def goodbye(self, code: ErrorCodes = ErrorCodes.NO_ERROR) -> bytes:
        """Return a GOAWAY frame; running requests continue."""
        self.terminated = True
        frame: bytes = GoAwayFrame(0, last_stream_id=self.last_stream, error_code=code).serialize()
        return frame

    def check_deadlines(self) -> bool:
        """End slow streams; return False if the connection itself is too slow.

        A sender has one deadline for a whole body, as over HTTP/1.1. The time of a slow handler does not
        count: while many bytes are unread and the window is closing, the deadline is not enforced.
        """
        now = self.now
        for stream in list(self.streams.values()):
            late = not stream.body_complete and stream.body_due and now >= stream.body_due
            if late and len(stream.body) < limits.http2_ahead_bytes:
                self._refuse(stream, BODY_TIMEOUT)
            elif stream.pending and now - stream.pending_since >= self.settings.write_timeout_ms / 1000:
                self._reset(stream, ErrorCodes.CANCEL)
        for number in self._lingering.find_overdue(now):
            self._stop_lingering(number)
        return not self._block_due or now < self._block_due

    def handler_ended(self, stream: Stream, error: BaseException | None) -> None:
        """Answer 500, or reset the stream, if a handler ended without a complete response."""
        stream.running = False
        if stream.ends:
            self.service.count_answer(stream.route, stream.scope, stream.status, stream.begun_ns)
        if stream.holding is not None:
            self._hold_or_let_go(stream)
        if error is not None:
            log_failure(error, stream.lost)
        elif not stream.ends and not stream.lost:
            logger.error("response_omitted")
        if self._lacks(stream) or (stream.ends and stream.head_sent and error is None):
            return
        if not stream.head_sent:
            self._refuse(stream, HANDLER_FAILED)
        elif not stream.ends:
            self._reset(stream, ErrorCodes.INTERNAL_ERROR)

    def _hold_or_let_go(self, stream: Stream) -> None:
        if self._lacks(stream):
            stream.let_go()
        else:
            self.hold(stream)

    # Events of the codec.

    def _dispatch(self, event: Event) -> None:
        kind, number, content, size, ends = event
        if kind == REQUEST:
            self._begin_request(number, content, ends)
        elif kind == CONTENT:
            self._take_data(number, content, size, ends)
        elif kind == TRAILERS:
            self._take_trailers(number, content, ends)
        elif kind == RESET:
            self._lingering.remove(number)
            stream = self.streams.pop(number, None)
            if stream is not None:
                stream.lose()
        elif kind == WINDOW_OPENED and number:
            stream = self.streams.get(number)
            if stream is not None and stream.pending:
                self.pump(stream)
        elif kind in {WINDOW_OPENED, SETTINGS_CHANGED}:
            self.pump_all()
        elif kind == TERMINATED:
            self.terminated = True
        if ends:
            self._end_request(number)

    def _begin_request(self, number: int, fields: Headers, ends: bool) -> None:
        if self.terminated:
            self._reset(Stream(self, number, {"method": ""}), ErrorCodes.REFUSED_STREAM)
            return
        self.last_stream = max(self.last_stream, number)
        scope = self.service.template | {"http_version": "2", "client": self.client}
        reading = self.policy.build_scope(fields, scope)
        stream = self.streams[number] = Stream(self, number, scope)
        stream.begun_ns = self.service.now_ns()
        stream.expects = reading.expects_continue
        stream.length = reading.length
        stream.input_ended = ends
        stream.body_due = self.now + self.settings.body_timeout_ms / 1000
        if reading.fault:
            self._refuse(stream, reading.fault)
            return
        if self.service.state is not None:
            scope["state"] = self.service.state.copy()
        if self.service.forwarded is not None:
            self.service.forwarded(scope)
        stream.head_bytes = reading.head_bytes
        self.hold(stream)
        if stream.expects and not stream.input_ended:
            self.body_wanted(stream, 0)

    def _take_data(self, number: int, content: bytes, size: int, ends: bool) -> None:
        # The connection's window is always given back, so that one stream cannot starve another. A stream's
        # own window is given back only when its handler reads.
        self._credit += size
        stream = self.streams.get(number)
        if stream is None:
            self._throw_away(number, size)
            return
        stream.feed(content)
        stream.input_ended = ends
        if stream.body_bytes > self.settings.body_bytes_max:
            self._refuse(stream, _BODY_TOO_LARGE)
            return
        if 0 <= stream.length < stream.body_bytes:
            self._refuse(stream, LENGTH_DIFFERENT)
            return
        padding = size - len(content)
        if padding and not stream.input_ended:
            self._open_window(stream, padding)
        self.hold(stream)
        if len(stream.body) >= limits.http2_ahead_bytes:
            self._schedule(stream)

    def _take_trailers(self, number: int, fields: Headers, ends: bool) -> None:
        stream = self.streams.get(number)
        if stream is None:
            return
        fault = self.policy.check_trailers(fields)
        if not ends:
            fault = fault or TRAILERS_REFUSED
        # Nothing may follow trailers, whether they have END_STREAM or not (RFC 9113 8.1).
        stream.input_ended = True
        if fault:
            self._refuse(stream, fault)

    def _end_request(self, number: int) -> None:
        stream = self.streams.get(number)
        if stream is None:
            if self._lingering.remove(number):
                self.connection.reset_answered(number, ErrorCodes.PROTOCOL_ERROR)
            return
        if stream.length not in {-1, stream.body_bytes}:
            # RFC 9113 8.1.1. The request may have no body at all, or end with trailers.
            self._refuse(stream, LENGTH_DIFFERENT)
        else:
            stream.finish_body()
            if stream.holding is not None:
                # From here on the request may have an effect, so it must not be refused as retryable.
                stream.holding.pin()
            self.on_request_begin()
            self._schedule(stream)

    def _give_credit(self) -> None:
        if self._credit >= limits.http2_ahead_bytes:
            self.connection.increment_flow_control_window(self._credit)
            self._credit = 0

    def _schedule(self, stream: Stream) -> None:
        if not stream.scheduled and not stream.head_sent:
            stream.scheduled = True
            self._ready.append(stream)

    def _run(self, stream: Stream) -> None:
        self.service.count_request()
        # Not before: a stream that is lost until then has no handler, whose end would release its bytes.
        stream.running = True
        stream.is_plain = stream.body_complete and not stream.body_bytes
        try:
            coroutine = self.service.app(stream.scope, stream.receive, stream.send)
        except Exception as error:  # noqa: BLE001 - whatever an application raises is answered 500
            self.handler_ended(stream, error)
            return
        stream.run(self.service.runner, coroutine)
