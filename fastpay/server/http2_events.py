"""What an HTTP/2 codec tells the guard, and what the guard asks of a codec.

An event is a tuple: kind, number of the stream, content, size, and whether END_STREAM came with it.

| kind | content | size |
|---|---|---|
| REQUEST, TRAILERS | the fields, undecoded and unchecked | 0 |
| CONTENT | the bytes of a DATA frame without padding | the frame's bytes, which windows count |
| RESET | None: either side has reset the stream | 0 |
| WINDOW_OPENED | None: stream 0 is the connection | 0 |
| SETTINGS_CHANGED, TERMINATED | None | 0 |
"""

from typing import Any, Final, Protocol

from h2.errors import ErrorCodes

REQUEST: Final = 0
CONTENT: Final = 1
TRAILERS: Final = 2
RESET: Final = 3
WINDOW_OPENED: Final = 4
SETTINGS_CHANGED: Final = 5
TERMINATED: Final = 6

Event = tuple[int, int, Any, int, bool]
Headers = list[tuple[bytes, bytes]]


class Http2Codec(Protocol):
    """The server's side of one connection. Sending raises h2's ProtocolError on a stream that is not open."""

    @property
    def in_block(self) -> bool:
        """Whether a field block has begun and not ended."""

    @property
    def output_bytes(self) -> int:
        """How many bytes wait to be sent."""

    @property
    def max_outbound_frame_size(self) -> int:
        """How many bytes of content a frame may have, as the client allows."""

    def initiate_connection(self) -> None:
        """Send the server's settings."""

    def read(self, data: bytes) -> tuple[list[Event], ErrorCodes | None]:
        """Return the events, and the error that ends the connection, if there is one."""

    def read_on(self, data: bytes) -> list[Event]:
        """Return the events of open streams after `read` returned an error; ignore further errors."""

    def data_to_send(self) -> bytes:
        """Take the output."""

    def take_wasted(self) -> tuple[int, int]:
        """Return how many resets were provoked and frames dropped since the last call."""

    def local_flow_control_window(self, stream_id: int, /) -> int:
        """Return how many bytes may be sent on a stream."""

    def send_headers(self, stream_id: int, headers: Headers, end_stream: bool = False, /) -> None:
        """Send a field block. `:status` is the first field."""

    def send_data(self, stream_id: int, data: bytes, end_stream: bool = False, /) -> None:
        """Send one DATA frame that fits into the windows and into a frame."""

    def end_stream(self, stream_id: int, /) -> None:
        """Send an empty DATA frame with END_STREAM."""

    def reset_stream(self, stream_id: int, error_code: int = 0, /) -> None:
        """Send RST_STREAM, which counts as provoked."""

    def reset_answered(self, stream_id: int, code: ErrorCodes, /) -> None:
        """Send RST_STREAM after the complete response to a malformed request (RFC 9113 8.1.1)."""

    def increment_flow_control_window(self, increment: int, stream_id: int = ..., /) -> None:
        """Open the window of a stream, or of the connection."""
