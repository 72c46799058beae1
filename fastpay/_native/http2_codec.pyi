"""The HTTP/2 codec of a server's connection. Built only with libnghttp2."""

from typing import Any

from h2.errors import ErrorCodes

from fastpay._native.http2_control import ControlFrames

Event = tuple[int, int, Any, int, bool]

class Http2Codec(ControlFrames):
    """One connection, with the members of `fastpay.server.http2_codec.Codec`."""

    def __init__(
        self,
        *,
        settings: bytes,
        header_bytes_max: int,
        header_count_max: int,
        streams_max: int,
        closed_streams_max: int,
        frame_bytes_max: int,
        table_bytes_max: int,
    ) -> None:
        """`settings` is the content of the SETTINGS frame that is sent."""

    @property
    def in_block(self) -> bool:
        """Whether a field block has begun and not ended."""

    def initiate_connection(self) -> None:
        """Send the server's settings."""

    def read(self, data: bytes) -> tuple[list[Event], ErrorCodes | None]:
        """Return the events, and the error that ends the connection, if there is one."""

    def read_on(self, data: bytes) -> list[Event]:
        """Return the events of open streams after `read` returned an error; ignore further errors."""
