"""The server's side of one HTTP/2 connection's streams: responses, windows, resets.

Based on Hypercorn's HTTP/2 protocol, with another codec and other streams.

A malformed request is answered 400, and its stream is reset with PROTOCOL_ERROR after that response. RFC
9113 8.1.1 asks for a stream error and allows a response before it; the response says what is wrong. The
reset follows END_STREAM, where clients ignore it, so that no client loses the response.
"""

from collections.abc import Callable, Hashable
from contextlib import suppress
from http import HTTPStatus
from typing import Any, cast

import h2.exceptions
from h2.errors import ErrorCodes
from hypercorn.asyncio.worker_context import WorkerContext
from hypercorn.config import Config
from hypercorn.protocol.h2 import H2Protocol
from hypercorn.typing import ConnectionState

from fastpay import limits
from fastpay._native.service import Service
from fastpay.server.http2_events import Http2Codec
from fastpay.server.http2_linger import LingeringStreams
from fastpay.server.http2_stream import Headers, Stream
from fastpay.server.refusal import REFUSALS, list_headers, render_body


class ServedStreams(H2Protocol):
    """The open streams, and the sending of responses on them."""

    def __init__(
        self, service: Service, settings: Any, codec: Http2Codec, client: tuple[str, int] | None
    ) -> None:
        super().__init__(
            service.app,
            Config(),
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
        # Replaces Hypercorn's codec and streams.
        self.connection: Http2Codec = codec  # type: ignore[assignment]
        self.streams: dict[int, Stream] = {}  # type: ignore[assignment]
        self._lingering = LingeringStreams(settings)
        self.writable = True
        # Whether streams have more to send than fits into the output buffer.
        self.is_full = False
        self.on_output: Callable[[], None] = lambda: None
        self.on_request_begin: Callable[[], None] = lambda: None
        self.on_request_end: Callable[[], None] = lambda: None
        self.on_data: Callable[[], None] = lambda: None
        self.request_id: Callable[[], str] = lambda: ""

    async def _send_nothing(self, event: object) -> None:
        """Replace Hypercorn's writer; the guard returns its bytes from `take_out`."""

    @property
    def now(self) -> float:
        """The event loop's time."""
        return self.service.loop.time()

    # Called by streams.

    def respond(self, stream: Stream, headers: Headers) -> None:
        """Send the head of a response, and the part of the body that is ready."""
        date = self.service.date_value
        headers = [(name, value or date if name == b"date" else value) for name, value in headers]
        if self._lacks(stream):
            return
        ends = stream.ends and not stream.pending
        if not self._does(stream, self.connection.send_headers, headers, ends):
            return
        if ends:
            self._finish(stream)
            self.on_output()
        else:
            self.pump(stream)

    def pump(self, stream: Stream) -> None:
        """Send as much of a response as the windows allow."""
        self.on_output()
        self._pump(stream)
        if stream.pending or stream.holding is not None:
            self.hold(stream)

    def _pump(self, stream: Stream) -> None:
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
            if ends or size >= limits.http2_paid_frame_bytes:
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
        """Send as much of all responses as the windows allow, one frame of each stream at a time."""
        for stream in list(self.streams.values()):
            if stream.pending:
                self.pump(stream)

    def pump_more(self) -> None:
        """Send more after the output buffer was taken out."""
        if self.is_full and self.writable:
            self.is_full = False
            self.pump_all()

    def _sendable(self, stream: Stream) -> int:
        if not self.writable:
            return 0
        if self.connection.output_bytes >= limits.write_buffer_high_bytes:
            # The buffer must be written first: only the transport knows whether the client reads.
            self.is_full = True
            return 0
        connection = self.connection
        try:
            window = connection.local_flow_control_window(stream.number)
        except h2.exceptions.ProtocolError:
            # A reset in the same packet, as in `_does`.
            self.streams.pop(stream.number, None)
            stream.lose()
            return 0
        return min(window, connection.max_outbound_frame_size, len(stream.pending))

    def body_wanted(self, stream: Stream, count: int) -> None:
        """Open the stream's window by the bytes that its handler has read."""
        if self._lacks(stream) or stream.input_ended:
            return
        if stream.expects and not stream.body_bytes:
            self._does(stream, self.connection.send_headers, [(b":status", b"100")])
        stream.expects = False
        if count >= limits.http2_ahead_bytes:
            # The window was closed because the handler did not read. The client gets a new deadline.
            stream.body_due = self.now + self.settings.body_timeout_ms / 1000
        self._open_window(stream, count)
        self.on_output()

    # Bytes that streams hold.

    def hold(self, stream: Stream) -> None:
        """Count the bytes of a stream, and refuse the stream if they are too many."""
        budget = self.service.bytes_budget
        if budget is None or self._lacks(stream):
            return
        size = stream.held_bytes
        holding = stream.holding
        if holding is None:
            if size <= limits.holding_bytes_min and len(self.streams) <= limits.http2_streams_uncounted:
                return
            holding = stream.holding = budget.open(
                lambda reason: self.give_up(stream, reason), self.payers(stream.scope)
            )
        payer = stream.scope.get("fastpay.payer")
        if payer is not None:
            holding.charge_to(payer)
        if stream.body_complete and not stream.pending:
            holding.pin()
        else:
            holding.unpin()
        # A stream has a cost of its own, even without a body.
        reason = holding.resize(max(size, limits.holding_bytes_min))
        if reason:
            self.give_up(stream, reason)

    def give_up(self, stream: Stream, reason: int) -> None:
        """Refuse a stream because of its bytes; reset it if the client does not read the response at once."""
        if not self._lacks(stream):
            self._refuse(stream, reason)
        if not self._lacks(stream):
            self._reset(stream, ErrorCodes.CANCEL)
        stream.body.clear()
        stream.pending.clear()
        self.on_output()

    def payers(self, scope: dict[str, Any] | None = None) -> tuple[Hashable, ...]:
        """Return the accounts that bytes are charged to, by the address of the connection or request."""
        client = self.client if scope is None else scope["client"]
        return (self.service.group_of(client[0] if client else None),)

    # Ends of streams.

    def _does(self, stream: Stream, action: Callable[..., object], *arguments: object) -> bool:
        """Call an action of the codec; return False if the client has reset the stream in the same packet."""
        try:
            action(stream.number, *arguments)
        except h2.exceptions.ProtocolError:
            self.streams.pop(stream.number, None)
            stream.lose()
            return False
        return True

    def _open_window(self, stream: Stream, count: int) -> None:
        # Credit is given in large steps, so that small frames do not cause one WINDOW_UPDATE each.
        stream.window_owed += count
        if stream.window_owed >= limits.http2_credit_bytes:
            self._credit_stream(stream.number, stream.window_owed)
            stream.window_owed = 0

    def _credit_stream(self, number: int, count: int) -> None:
        # The client may have ended or reset the stream in the same packet, so that the codec no longer
        # knows it.
        with suppress(h2.exceptions.ProtocolError, KeyError):
            self.connection.increment_flow_control_window(count, number)

    def _lacks(self, stream: Stream) -> bool:
        return self.streams.get(stream.number) is not stream

    def _refuse(self, stream: Stream, reason: int) -> None:
        status, message = REFUSALS[reason]
        stream.malformed = status == HTTPStatus.BAD_REQUEST
        if stream.head_sent:
            self._reset(stream, ErrorCodes.PROTOCOL_ERROR if stream.malformed else ErrorCodes.CANCEL)
            return
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
        if not stream.input_ended:
            code = ErrorCodes.PROTOCOL_ERROR if stream.malformed else ErrorCodes.NO_ERROR
            self._lingering.add(stream.number, self.now, code)
            # The bytes that no handler has read.
            self._throw_away(stream.number, len(stream.body) + stream.window_owed)
        elif stream.malformed:
            self.connection.reset_answered(stream.number, ErrorCodes.PROTOCOL_ERROR)
        stream.let_go()
        stream.drained()
        if not stream.malformed:
            self.on_request_end()

    def _throw_away(self, number: int, count: int) -> None:
        taken = self._lingering.take(number, count) if count else None
        if taken:
            self._credit_stream(number, count)
            self.on_output()
        elif taken is not None:
            self._stop_lingering(number)

    def _stop_lingering(self, number: int) -> None:
        code = self._lingering.remove(number)
        with suppress(h2.exceptions.ProtocolError):
            self.connection.reset_stream(number, code or ErrorCodes.NO_ERROR)
        self.on_output()
