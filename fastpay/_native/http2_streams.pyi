"""The streams of one HTTP/2 connection and the frames that are sent. Built only with libnghttp2."""

Fields = list[tuple[bytes, bytes]]

class StreamTable:
    """The part of a codec that sends. Everything raises h2's ProtocolError if the stream is not open."""

    @property
    def max_outbound_frame_size(self) -> int:
        """How many bytes a frame may have at most, as the client allows."""

    @property
    def output_bytes(self) -> int:
        """How many bytes wait to be taken."""

    def data_to_send(self) -> bytes:
        """Take the output."""

    def take_wasted(self) -> tuple[int, int]:
        """Return how many resets were provoked and frames dropped since the last call."""

    def local_flow_control_window(self, number: int) -> int:
        """Return how many bytes may be sent on a stream; it can be negative."""

    def send_headers(self, number: int, fields: Fields, end_stream: bool = False) -> None:
        """Send the head of a response, or an informational one. `:status` is the first field."""

    def send_data(self, number: int, data: bytes, end_stream: bool = False) -> None:
        """Send one DATA frame that fits into the windows and into a frame."""

    def end_stream(self, number: int) -> None:
        """Send an empty DATA frame with END_STREAM."""

    def reset_stream(self, number: int, code: int = 0) -> None:
        """Send RST_STREAM, which counts as provoked."""

    def reset_answered(self, number: int, code: int) -> None:
        """Send RST_STREAM after a complete response; it does not count as provoked."""

    def increment_flow_control_window(self, increment: int, number: int = 0) -> None:
        """Open the window of a stream, or of the connection."""
