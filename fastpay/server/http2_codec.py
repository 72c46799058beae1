"""The HTTP/2 codec over h2, with every error limited to its request, its stream or its connection.

It serves where `_native/http2_codec.pyx` was not built, and is the oracle of that one.

h2 4.4 raises ProtocolError for all errors, drops the events before it in the same packet, and ends the
whole connection. RFC 9113 has three scopes: a message, a stream, or the connection.

| error | clause | h2 alone | here |
|---|---|---|---|
| a malformed message: fields, lengths, trailers | 8.1.1 | ends the connection | left to `RequestPolicy` |
| more streams than allowed | 5.1.2 | ends the connection | RST_STREAM REFUSED_STREAM |
| DATA beyond a stream's window | 6.9.1 | ends the connection | RST_STREAM FLOW_CONTROL_ERROR |
| WINDOW_UPDATE of zero for a stream | 6.9 | ends the connection | RST_STREAM PROTOCOL_ERROR |
| PRIORITY of another length, or on itself | 6.3 | ends the connection | RST_STREAM |
| second trailers | 8.1 | ends the connection | RST_STREAM PROTOCOL_ERROR |
| frames after END_STREAM or the peer's reset | 5.1 | RST_STREAM | RST_STREAM STREAM_CLOSED |
| frames for a stream that the server has reset | 5.1 | RST_STREAM for each | dropped and counted |
| GOAWAY from the client | 6.8 | nothing can be sent any more | responses are still sent |
| a field block that cannot be decoded | 4.3 | PROTOCOL_ERROR | COMPRESSION_ERROR |
| RST_STREAM for an idle stream, stray CONTINUATION | 6.4, 6.10 | sometimes ignored | ends the connection |

`read` returns the error that ends the connection together with the events before it. The codec sends
nothing for it and can still send, so that responses leave before the GOAWAY.
"""

from contextlib import suppress
from typing import Any, NoReturn

import hpack
from h2.config import H2Configuration
from h2.connection import AllowedStreamIDs, ConnectionInputs, H2Connection
from h2.errors import ErrorCodes
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    Event,
    RemoteSettingsChanged,
    RequestReceived,
    StreamReset,
    TrailersReceived,
    WindowUpdated,
)
from h2.exceptions import (
    DenialOfServiceError,
    FlowControlError,
    ProtocolError,
    StreamClosedError,
)
from h2.settings import SettingCodes, Settings
from h2.stream import H2Stream, StreamClosedBy, StreamInputs, StreamState
from hyperframe.frame import (
    ContinuationFrame,
    DataFrame,
    Frame,
    GoAwayFrame,
    HeadersFrame,
    PriorityFrame,
    PushPromiseFrame,
    RstStreamFrame,
)

from fastpay import limits
from fastpay.server import http2_events
from fastpay.server.http2_frames import BrokenFrame, FrameReader

_Found = tuple[list[Frame], list[Event]]


class CompressionError(ProtocolError):
    """A field block that cannot be decoded; no later block can be decoded either."""

    error_code = ErrorCodes.COMPRESSION_ERROR


class BoundedEncoder(hpack.Encoder):
    """An encoder with a small table, whatever the client allows: the table is searched for every field."""

    @property
    def header_table_size(self) -> int:
        """The size of the dynamic table."""
        return int(self.header_table.maxsize)

    @header_table_size.setter
    def header_table_size(self, value: int) -> None:
        size = min(value, limits.http2_table_bytes_max)
        self.header_table.maxsize = size
        if self.header_table.resized:
            self.table_size_changes.append(size)


class Codec(H2Connection):
    """The server's side of one connection: bytes in by `read`, bytes out by `data_to_send`."""

    MAX_CLOSED_STREAMS = limits.http2_closed_streams_max

    def __init__(self, header_bytes_max: int, header_count_max: int) -> None:
        super().__init__(
            H2Configuration(
                client_side=False,
                header_encoding=None,
                # fastpay's own fields are lower-case and checked when the application hands them over.
                validate_outbound_headers=False,
                normalize_outbound_headers=False,
                validate_inbound_headers=False,
                normalize_inbound_headers=False,
            )
        )
        self.local_settings = Settings(
            client=False,
            initial_values={
                SettingCodes.MAX_CONCURRENT_STREAMS: limits.http2_streams_max,
                SettingCodes.MAX_HEADER_LIST_SIZE: header_bytes_max,
                SettingCodes.INITIAL_WINDOW_SIZE: limits.http2_window_bytes,
                SettingCodes.ENABLE_CONNECT_PROTOCOL: 0,
            },
        )
        # Twice the accepted size: a list slightly over the bound gets 431, an attack ends the connection.
        self.decoder.max_header_list_size = 2 * header_bytes_max
        # A single byte on the wire can be a field, so a packet can hold a hundred thousand of them.
        self._fields_max = 2 * header_count_max
        self.encoder = BoundedEncoder()
        self.reader = FrameReader(2 * header_bytes_max)
        # RST_STREAM frames that the client provoked, and frames that were dropped, since the last
        # `take_wasted`.
        self.provoked = 0
        self.dropped = 0

    @property
    def output_bytes(self) -> int:
        """How many bytes wait to be sent."""
        return len(self._data_to_send)

    @property
    def in_block(self) -> bool:
        """Whether a field block has begun and not ended."""
        return self.reader.in_block

    def take_wasted(self) -> tuple[int, int]:
        """Return how many resets were provoked and frames dropped since the last call."""
        wasted = self.provoked, self.dropped
        self.provoked = self.dropped = 0
        return wasted

    def read(self, data: bytes) -> tuple[list[http2_events.Event], ErrorCodes | None]:
        """Return the events, and the error that ends the connection, if there is one."""
        events, fault = self._read(data)
        return _translate(events), fault

    def _read(self, data: bytes) -> tuple[list[Event], ErrorCodes | None]:
        events: list[Event] = []
        try:
            self.reader.add(data)
            while True:
                frame = self.reader.next()
                if frame is None:
                    return events, None
                if isinstance(frame, BrokenFrame):
                    frames, more = self._fail(frame.stream_id, frame.error_code)
                    self._prepare_for_sending(frames)
                    events += more
                else:
                    events += self._receive_frame(frame)
        except ProtocolError as error:
            return events, error.error_code

    def read_on(self, data: bytes) -> list[http2_events.Event]:
        """Return the events of open streams after `read` returned an error; ignore further errors."""
        events: list[Event] = []
        for frame in self.reader.read_on(data):
            with suppress(ProtocolError):
                events += self._receive_frame(frame)
        return _translate(events)

    def local_flow_control_window(self, stream_id: int) -> int:
        """Return how many bytes may be sent on a stream. Raises: StreamClosedError, which h2 raises late."""
        window = super().local_flow_control_window(stream_id)
        if self.streams[stream_id].closed:
            raise StreamClosedError(stream_id)
        return window

    def reset_answered(self, stream_id: int, code: ErrorCodes) -> None:
        """Send RST_STREAM after the complete response to a malformed request (RFC 9113 8.1.1).

        h2 has closed the stream and would refuse to send it. It does not count as provoked, because no
        handler ran.
        """
        self._closed_streams[stream_id] = StreamClosedBy.SEND_RST_STREAM
        stream = self.streams.get(stream_id)
        if stream is not None:
            _close(stream)
        super()._prepare_for_sending([_reset(stream_id, code)])

    def _prepare_for_sending(self, frames: list[Frame]) -> None:
        for frame in frames:
            if type(frame) is RstStreamFrame:
                self.provoked += 1
        super()._prepare_for_sending(frames)

    # Overrides of h2's frame handlers.

    def _receive_headers_frame(self, frame: HeadersFrame) -> _Found:
        number = frame.stream_id
        # Decode first, whatever happens to the stream: the compression state of later blocks depends on it
        # (RFC 9113 4.3).
        fields = self._decode(frame.data)
        self.state_machine.process_input(ConnectionInputs.RECV_HEADERS)
        if self._was_reset_by_us(number):
            self.dropped += 1
            return [], []
        stream = self.streams.get(number)
        if stream is None:
            is_new = number > self.highest_inbound_stream_id and number % 2 == 1
            if is_new and self.open_inbound_streams >= limits.http2_streams_max:
                self.highest_inbound_stream_id = number
                self._closed_streams[number] = StreamClosedBy.SEND_RST_STREAM
                return [_reset(number, ErrorCodes.REFUSED_STREAM)], []
            # Raises if the number is even, or not higher than all before.
            stream = self._begin_new_stream(number, AllowedStreamIDs.ODD)
        if "PRIORITY" in frame.flags and frame.depends_on == number:
            return self._fail(number, ErrorCodes.PROTOCOL_ERROR)
        try:
            return [], self._take_fields(stream, fields, ends="END_STREAM" in frame.flags)
        except StreamClosedError:
            raise
        except ProtocolError as error:
            return self._fail(number, error.error_code)

    def _take_fields(self, stream: H2Stream, fields: Any, *, ends: bool) -> list[Event]:
        # h2's `receive_headers` would check the fields. Here the policy does.
        events = stream.state_machine.process_input(StreamInputs.RECV_HEADERS)
        head: Any = events[0]
        head.headers = fields
        if ends:
            ended = stream.state_machine.process_input(StreamInputs.RECV_END_STREAM)
            head.stream_ended = ended[0]
            events += ended
        return events

    def _receive_data_frame(self, frame: DataFrame) -> _Found:
        number, size = frame.stream_id, frame.flow_controlled_length
        self.state_machine.process_input(ConnectionInputs.RECV_DATA)
        self._inbound_flow_control_window_manager.window_consumed(size)
        frames: list[Frame] = []
        events: list[Event] = []
        if self._was_reset_by_us(number):
            self.dropped += 1
        else:
            try:
                # Raises NoSuchStreamError for an idle stream, which ends the connection (5.1).
                return self._get_stream_by_id(number).receive_data(
                    frame.data, "END_STREAM" in frame.flags, size
                )
            except StreamClosedError as error:
                frames, events = self._tell_reset(number, error.error_code)
            except FlowControlError as error:
                frames, events = self._fail(number, error.error_code)
        # The frame counts against the connection's window in every state of its stream (RFC 9113 5.1).
        events.append(DataReceived(stream_id=number, data=b"", flow_controlled_length=size))
        return frames, events

    def _receive_priority_frame(self, frame: HeadersFrame | PriorityFrame) -> _Found:
        if frame.depends_on == frame.stream_id:
            return self._fail(frame.stream_id, ErrorCodes.PROTOCOL_ERROR)
        return [], []

    def _receive_rst_stream_frame(self, frame: RstStreamFrame) -> _Found:
        if self._is_idle(frame.stream_id):
            raise ProtocolError("RST_STREAM for an idle stream")
        return super()._receive_rst_stream_frame(frame)

    def _receive_goaway_frame(self, frame: GoAwayFrame) -> _Found:
        # The client accepts no streams from the server, which opens none. It still waits for its responses.
        return [], [ConnectionTerminated()]

    def _receive_naked_continuation(self, frame: ContinuationFrame) -> NoReturn:
        raise ProtocolError("CONTINUATION of nothing")

    def _receive_push_promise_frame(self, frame: PushPromiseFrame) -> NoReturn:
        # RFC 9113 8.4.
        raise ProtocolError("a client cannot push")

    def _receive_alt_svc_frame(self, frame: Frame) -> _Found:
        # RFC 7838 4: servers ignore it.
        return [], []

    # Errors.

    def _decode(self, block: bytes) -> Any:
        try:
            fields: Any = self.decoder.decode(block, raw=True)
        except hpack.OversizedHeaderListError as error:
            raise DenialOfServiceError(str(error)) from error
        except (hpack.HPACKError, IndexError) as error:
            raise CompressionError(str(error)) from error
        if len(fields) > self._fields_max:
            raise DenialOfServiceError(f"{len(fields)} fields in a block")
        return fields

    def _fail(self, number: int, code: ErrorCodes) -> _Found:
        """Reset a stream. An idle stream cannot be reset: there the error is the connection's (5.1)."""
        if self._is_idle(number):
            fault = ProtocolError(f"a broken frame on the idle stream {number}")
            fault.error_code = code
            raise fault
        if self._was_reset_by_us(number):
            self.dropped += 1
            return [], []
        stream = self.streams.get(number)
        if stream is None or (stream.closed and stream.closed_by is not None):
            # The response may have ended the stream a moment before: the client is told all the same.
            return [_reset(number, code)], []
        _close(stream)
        return self._tell_reset(number, code)

    def _tell_reset(self, number: int, code: ErrorCodes) -> _Found:
        event = StreamReset(stream_id=number, error_code=code, remote_reset=False)
        return [_reset(number, code)], [event]

    def _is_idle(self, number: int) -> bool:
        return number % 2 == 0 or number > self.highest_inbound_stream_id

    def _was_reset_by_us(self, number: int) -> bool:
        return self._stream_closed_by(number) is StreamClosedBy.SEND_RST_STREAM


def _translate(events: list[Event]) -> list[http2_events.Event]:
    """Return h2's events as those of all codecs. The end of a stream is part of what it came with."""
    found: list[http2_events.Event] = []
    for event in events:
        if isinstance(event, RequestReceived | TrailersReceived):
            is_request = isinstance(event, RequestReceived)
            kind = http2_events.REQUEST if is_request else http2_events.TRAILERS
            found.append((kind, event.stream_id, event.headers, 0, event.stream_ended is not None))
        elif isinstance(event, DataReceived):
            size, ends = event.flow_controlled_length, event.stream_ended is not None
            found.append((http2_events.CONTENT, event.stream_id, event.data, size, ends))
        elif isinstance(event, StreamReset):
            found.append((http2_events.RESET, event.stream_id, None, 0, False))
        elif isinstance(event, WindowUpdated):
            found.append((http2_events.WINDOW_OPENED, event.stream_id, None, 0, False))
        elif isinstance(event, RemoteSettingsChanged):
            found.append((http2_events.SETTINGS_CHANGED, 0, None, 0, False))
        elif isinstance(event, ConnectionTerminated):
            found.append((http2_events.TERMINATED, 0, None, 0, False))
    return found


def _close(stream: H2Stream) -> None:
    stream.state_machine.state = StreamState.CLOSED
    stream.state_machine.stream_closed_by = StreamClosedBy.SEND_RST_STREAM


def _reset(number: int, code: ErrorCodes) -> RstStreamFrame:
    frame = RstStreamFrame(number)
    frame.error_code = code
    return frame
