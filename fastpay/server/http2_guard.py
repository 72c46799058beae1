"""Hypercorn's HTTP/2 protocol, guarded: its codec and settings, our streams, windows and patience.

What Hypercorn 0.18.0 does otherwise, and what each guard stands for (tests/transport/test_http2_*.py):
late DATA on an answered stream is dropped without touching another stream; CONNECT is answered 501; a body
that nobody reads closes only its own window; bodies and writes have deadlines; resets, also those that a
client provokes from us, and control frames are paid from a budget; there is no count of requests that ends
a connection; all frames of one turn leave in one write.
"""

import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Any, cast

import h2.config
import h2.events
import h2.exceptions
import h2.settings
from h2.errors import ErrorCodes
from hypercorn.asyncio.worker_context import WorkerContext
from hypercorn.config import Config
from hypercorn.protocol.h2 import H2Protocol
from hypercorn.typing import ConnectionState
from hyperframe.frame import GoAwayFrame

from fastpay import limits
from fastpay._native.service import BODY_TIMEOUT, HANDLER_FAILED, Service, log_failure
from fastpay.server.http2_request import RequestPolicy
from fastpay.server.http2_stream import Headers, Stream
from fastpay.server.refusal import REFUSALS, list_headers, render_body

logger = logging.getLogger(__name__)

_BODY_TOO_LARGE = 18


class GuardedH2(H2Protocol):
    """The state of one HTTP/2 connection: bytes in by `take_in`, bytes out by `take_out`."""

    def __init__(
        self, service: Service, settings: Any, policy: RequestPolicy, client: tuple[str, int] | None
    ) -> None:
        config = Config()
        config.h2_max_concurrent_streams = limits.http2_streams_max
        config.h2_max_header_list_size = settings.header_bytes_max
        super().__init__(
            service.app,
            config,
            WorkerContext(None),
            cast(Any, None),
            ConnectionState({}),
            service.template["scheme"] == "https",
            client,
            service.template["server"],
            self._send_nothing,
        )
        self.service = service
        self.settings = settings
        self.policy = policy
        # Streams of ours in the place of Hypercorn's.
        self.streams: dict[int, Stream] = {}  # type: ignore[assignment]
        # Answered before their requests were complete: until when, and how much of them is still taken.
        self._lingering: dict[int, tuple[float, int]] = {}
        self.terminated = False
        self.last_stream = 0
        self.writable = True
        self.on_output: Callable[[], None] = lambda: None
        self.on_request_end: Callable[[], None] = lambda: None
        self.on_data: Callable[[], None] = lambda: None
        self.request_id: Callable[[], str] = lambda: ""
        self._ready: list[Stream] = []
        self._credit = 0
        self._configure(settings)

    def _configure(self, settings: Any) -> None:
        codes = h2.settings.SettingCodes
        self.connection.local_settings = h2.settings.Settings(
            client=False,
            initial_values={
                codes.MAX_CONCURRENT_STREAMS: limits.http2_streams_max,
                codes.MAX_HEADER_LIST_SIZE: settings.header_bytes_max,
                codes.INITIAL_WINDOW_SIZE: limits.http2_window_bytes,
                codes.ENABLE_CONNECT_PROTOCOL: 0,
            },
        )
        # Twice what we accept: a list a little over the bound gets 431, a bomb ends the connection.
        self.connection.decoder.max_header_list_size = 2 * settings.header_bytes_max
        # Our own fields are lower-case and checked when the application hands them over.
        self.connection.config.validate_outbound_headers = False
        self.connection.config.normalize_outbound_headers = False

    async def _send_nothing(self, event: object) -> None:
        """Stand where Hypercorn would write; the guard hands its bytes out by `take_out`."""

    @property
    def now(self) -> float:
        """The loop's clock."""
        return self.service.loop.time()

    def begin(self) -> None:
        """Say who we are."""
        self.connection.initiate_connection()

    def take_in(self, data: bytes) -> bool:
        """Read bytes and start handlers; return False when the connection must end."""
        try:
            events = self.connection.receive_data(data)
        except h2.exceptions.ProtocolError:
            # The codec has put its GOAWAY into what is to be sent.
            return False
        for event in events:
            self._dispatch(event)
        self._give_credit()
        ready, self._ready = self._ready, []
        for stream in ready:
            # Reset in the same packet: its handler was never needed.
            if not stream.lost:
                self._run(stream)
        return True

    def take_out(self) -> bytes:
        """Return the bytes to write."""
        data: bytes = self.connection.data_to_send()
        return data

    def lose(self) -> None:
        """Tell all handlers that the connection is gone."""
        self.closed = True
        streams, self.streams = self.streams, {}
        for stream in streams.values():
            stream.lose()

    def goodbye(self, code: ErrorCodes = ErrorCodes.NO_ERROR) -> bytes:
        """Return a GOAWAY; what already runs may go on."""
        self.terminated = True
        frame: bytes = GoAwayFrame(0, last_stream_id=self.last_stream, error_code=code).serialize()
        return frame

    def check_deadlines(self) -> None:
        """Refuse bodies that came too slowly, and reset streams whose answers nobody takes."""
        now = self.now
        for stream in list(self.streams.values()):
            if not stream.body_complete and stream.body_due and now >= stream.body_due:
                self._refuse(stream, BODY_TIMEOUT)
            elif stream.pending and now - stream.pending_since >= self.settings.write_timeout_ms / 1000:
                self._reset(stream, ErrorCodes.CANCEL)
        for number, (due, _) in list(self._lingering.items()):
            if now >= due:
                self._stop_lingering(number)

    # What streams ask for.

    def respond(self, stream: Stream, headers: Headers) -> None:
        """Send the head of an answer, and with it whatever body is there."""
        date = self.service.date_value
        headers = [(name, value or date if name == b"date" else value) for name, value in headers]
        if self._lacks(stream):
            return
        ends = stream.ends and not stream.pending
        if not self._does(stream, self.connection.send_headers, headers, ends):
            return
        if ends:
            self._finish(stream)
        else:
            self.pump(stream)

    def pump(self, stream: Stream) -> None:
        """Send what the stream has and the windows allow."""
        self.on_output()
        while stream.pending and not self._lacks(stream):
            size = self._sendable(stream)
            if size <= 0:
                stream.pending_since = stream.pending_since or self.now
                return
            ends = stream.ends and size == len(stream.pending)
            if not self._does(stream, self.connection.send_data, bytes(stream.pending[:size]), ends):
                return
            del stream.pending[:size]
            stream.pending_since = self.now if stream.pending else 0.0
            self.on_data()
            if ends:
                self._finish(stream)
                return
        if self._lacks(stream):
            return
        if not stream.ends:
            stream.drained()
        elif self._does(stream, self.connection.end_stream):
            self._finish(stream)

    def pump_all(self) -> None:
        """Send what all streams have and the windows allow, each stream a frame at a time."""
        for stream in list(self.streams.values()):
            if stream.pending:
                self.pump(stream)

    def _sendable(self, stream: Stream) -> int:
        if not self.writable:
            return 0
        connection = self.connection
        try:
            window: int = connection.local_flow_control_window(stream.number)
        except h2.exceptions.ProtocolError:
            # Reset in the same packet, as for `_does`.
            self.streams.pop(stream.number, None)
            stream.lose()
            return 0
        return min(window, connection.max_outbound_frame_size, len(stream.pending))

    def body_wanted(self, stream: Stream, count: int) -> None:
        """Open the stream's window again by what its handler has taken."""
        if self._lacks(stream) or stream.body_complete:
            return
        if stream.expects and not stream.body_bytes:
            self._does(stream, self.connection.send_headers, [(b":status", b"100")])
        stream.expects = False
        if count:
            self._open_window(stream, count)
        self.on_output()

    def handler_ended(self, stream: Stream, error: BaseException | None) -> None:
        """Answer 500, or reset, where a handler ended without a complete answer."""
        stream.running = False
        if error is not None:
            log_failure(error, stream.lost)
        elif not stream.ends and not stream.lost:
            logger.error("handler_ended_without_response")
        if self._lacks(stream) or (stream.ends and stream.head_sent and error is None):
            return
        if not stream.head_sent:
            self._refuse(stream, HANDLER_FAILED)
        elif not stream.ends:
            self._reset(stream, ErrorCodes.INTERNAL_ERROR)

    # What the codec tells.

    def _dispatch(self, event: h2.events.Event) -> None:
        if isinstance(event, h2.events.RequestReceived):
            self._begin_request(event)
        elif isinstance(event, h2.events.DataReceived):
            self._take_data(event)
        elif isinstance(event, h2.events.StreamEnded):
            self._lingering.pop(event.stream_id, None)
            stream = self.streams.get(event.stream_id)
            if stream is not None:
                stream.finish_body()
                self._schedule(stream)
        elif isinstance(event, h2.events.StreamReset):
            self._lingering.pop(event.stream_id, None)
            stream = self.streams.pop(event.stream_id, None)
            if stream is not None:
                stream.lose()
        elif isinstance(event, h2.events.WindowUpdated | h2.events.RemoteSettingsChanged):
            self.pump_all()
        elif isinstance(event, h2.events.ConnectionTerminated):
            self.terminated = True

    def _begin_request(self, event: h2.events.RequestReceived) -> None:
        number = event.stream_id
        if self.terminated:
            self._reset(Stream(self, number, {"method": ""}), ErrorCodes.REFUSED_STREAM)
            return
        self.last_stream = max(self.last_stream, number)
        scope = self.service.template | {"http_version": "2", "client": self.client}
        fault, expects = self.policy.build_scope(event.headers, scope)
        stream = self.streams[number] = Stream(self, number, scope)
        stream.expects = expects
        stream.body_complete = event.stream_ended is not None
        stream.body_due = self.now + self.settings.body_timeout_ms / 1000
        if fault:
            self._refuse(stream, fault)
            return
        if self.service.state is not None:
            scope["state"] = self.service.state.copy()
        if self.service.forwarded is not None:
            self.service.forwarded(scope)
        if expects and not stream.body_complete:
            self.body_wanted(stream, 0)

    def _take_data(self, event: h2.events.DataReceived) -> None:
        # The connection's window is always given back, so that no stream can starve another; a stream's own
        # window only when its handler reads.
        self._credit += event.flow_controlled_length
        stream = self.streams.get(event.stream_id)
        if stream is None:
            self._throw_away(event.stream_id, event.flow_controlled_length)
            return
        stream.feed(event.data)
        padding = event.flow_controlled_length - len(event.data)
        if stream.body_bytes > self.settings.body_bytes_max:
            self._refuse(stream, _BODY_TOO_LARGE)
            return
        if padding and event.stream_ended is None:
            self._open_window(stream, padding)
        if len(stream.body) >= limits.http2_ahead_bytes:
            self._schedule(stream)

    def _give_credit(self) -> None:
        if self._credit >= limits.http2_ahead_bytes:
            self.connection.increment_flow_control_window(self._credit)
            self._credit = 0

    def _schedule(self, stream: Stream) -> None:
        if not stream.running and not stream.head_sent:
            stream.running = True
            self._ready.append(stream)

    def _run(self, stream: Stream) -> None:
        self.service.count_request()
        try:
            coroutine = self.service.app(stream.scope, stream.receive, stream.send)
        except Exception as error:  # noqa: BLE001 - whatever an application raises is answered 500
            self.handler_ended(stream, error)
            return
        self.service.runner.run(coroutine, lambda error: self.handler_ended(stream, error))

    # Ends of streams.

    def _does(self, stream: Stream, action: Callable[..., object], *arguments: object) -> bool:
        """Do something to a stream; return False when the client has reset it in the same packet."""
        try:
            action(stream.number, *arguments)
        except h2.exceptions.ProtocolError:
            self.streams.pop(stream.number, None)
            stream.lose()
            return False
        return True

    def _open_window(self, stream: Stream, count: int) -> None:
        stream.body_due = self.now + self.settings.body_timeout_ms / 1000
        self._credit_stream(stream.number, count)

    def _credit_stream(self, number: int, count: int) -> None:
        # The client may have ended or reset the stream in the same packet, and the codec forgotten it.
        with suppress(h2.exceptions.ProtocolError, KeyError):
            self.connection.increment_flow_control_window(count, number)

    def _lacks(self, stream: Stream) -> bool:
        return self.streams.get(stream.number) is not stream

    def _refuse(self, stream: Stream, reason: int) -> None:
        if stream.head_sent:
            self._reset(stream, ErrorCodes.CANCEL)
            return
        status, message = REFUSALS[reason]
        body = render_body(status, message)
        headers = [
            (b":status", b"%d" % status),
            *list_headers(status, body, self.request_id()),
            (b"date", b""),
        ]
        stream.head_sent = stream.ends = True
        stream.pending[:] = b"" if stream.scope["method"] == "HEAD" else body
        self.respond(stream, headers)
        stream.lose()

    def _reset(self, stream: Stream, code: ErrorCodes) -> None:
        self.streams.pop(stream.number, None)
        stream.lose()
        self._does(stream, self.connection.reset_stream, code)
        self.on_output()

    def _finish(self, stream: Stream) -> None:
        self.streams.pop(stream.number, None)
        if not stream.body_complete:
            self._linger(stream)
        stream.drained()
        self.on_request_end()

    def _linger(self, stream: Stream) -> None:
        """Throw away what still comes of a request that was answered.

        RFC 9113 8.1 has it reset with NO_ERROR. Some clients lose the answer when the reset comes with it,
        others wait for a window before they read; so the reset comes only to those that go on for too long.
        """
        due = self.now + self.settings.linger_timeout_ms / 1000
        self._lingering[stream.number] = (due, self.settings.linger_bytes_max)
        # What no handler has read.
        self._throw_away(stream.number, len(stream.body))

    def _throw_away(self, number: int, count: int) -> None:
        due, left = self._lingering.get(number, (0.0, 0))
        if not due or not count:
            return
        if count > left:
            self._stop_lingering(number)
            return
        self._lingering[number] = (due, left - count)
        self._credit_stream(number, count)
        self.on_output()

    def _stop_lingering(self, number: int) -> None:
        del self._lingering[number]
        with suppress(h2.exceptions.ProtocolError):
            self.connection.reset_stream(number, ErrorCodes.NO_ERROR)
        self.on_output()
