"""Splits the bytes of an HTTP/2 connection into frames, and joins the frames of a field block."""

from h2.errors import ErrorCodes
from h2.exceptions import DenialOfServiceError, FrameDataMissingError, FrameTooLargeError, ProtocolError
from hyperframe.exceptions import InvalidDataError, InvalidFrameError, InvalidPaddingError
from hyperframe.frame import (
    AltSvcFrame,
    ContinuationFrame,
    Frame,
    HeadersFrame,
    PriorityFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)

from fastpay import limits

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

_HEADER_BYTES = 9
_READ_ON = {RstStreamFrame.type: RstStreamFrame, WindowUpdateFrame.type: WindowUpdateFrame}


class BrokenFrame:
    """A frame that cannot be parsed, with an error of its stream only (RFC 9113 5.4.2)."""

    def __init__(self, stream_id: int, code: ErrorCodes) -> None:
        self.stream_id = stream_id
        self.error_code = code


class FrameReader:
    """Returns the complete frames of the bytes that were added.

    Raises: ProtocolError with the code of the connection error. Afterwards only `read_on` may be called.
    """

    def __init__(self, block_bytes_max: int) -> None:
        self._preface = PREFACE
        self._data = bytearray()
        self._block: list[HeadersFrame | ContinuationFrame] = []
        self._block_bytes = 0
        self._block_bytes_max = block_bytes_max
        self._skip = 0

    @property
    def in_block(self) -> bool:
        """Whether a field block has begun and not ended."""
        return bool(self._block)

    def add(self, data: bytes) -> None:
        """Append received bytes."""
        if self._preface:
            # RFC 9113 3.4.
            length = min(len(self._preface), len(data))
            if data[:length] != self._preface[:length]:
                raise ProtocolError("the connection does not begin with the preface")
            self._preface = self._preface[length:]
            data = data[length:]
        self._data += data

    def next(self) -> Frame | BrokenFrame | None:
        """Return the next complete frame, or None."""
        while True:
            frame = self._cut()
            if not isinstance(frame, HeadersFrame | ContinuationFrame):
                return frame
            whole = self._join(frame)
            if whole is not None:
                return whole

    def read_on(self, data: bytes) -> list[RstStreamFrame | WindowUpdateFrame]:
        """Return the RST_STREAM and WINDOW_UPDATE frames among further bytes, and skip all others unread.

        The last responses need windows after an error, too. The start of the next frame is known after
        every error except a wrong preface, and then there is no request to answer.
        """
        found: list[RstStreamFrame | WindowUpdateFrame] = []
        self._data += data
        offset, end = 0, len(self._data)
        while offset < end:
            if self._skip:
                skipped = min(self._skip, end - offset)
                self._skip -= skipped
                offset += skipped
                continue
            head = self._data[offset : offset + _HEADER_BYTES + 4]
            if len(head) < _HEADER_BYTES:
                break
            kind = _READ_ON.get(head[3]) if head[:3] == b"\0\0\4" else None
            if kind is None:
                self._skip = _HEADER_BYTES + int.from_bytes(head[:3], "big")
                continue
            if len(head) < _HEADER_BYTES + 4:
                break
            stream_id = int.from_bytes(head[5:9], "big") & 0x7FFFFFFF
            value = int.from_bytes(head[9:], "big")
            if kind is RstStreamFrame and stream_id:
                found.append(RstStreamFrame(stream_id, error_code=value))
            elif kind is WindowUpdateFrame and value & 0x7FFFFFFF:
                found.append(WindowUpdateFrame(stream_id, window_increment=value & 0x7FFFFFFF))
            offset += len(head)
        del self._data[:offset]
        return found

    def _cut(self) -> Frame | BrokenFrame | None:
        data = self._data
        if len(data) < _HEADER_BYTES:
            return None
        try:
            frame, length = Frame.parse_frame_header(memoryview(bytes(data[:_HEADER_BYTES])))
        except (InvalidDataError, InvalidFrameError) as error:
            # A stream's frame on stream 0, or a connection's frame on a stream.
            raise ProtocolError(str(error)) from error
        if length > limits.http2_frame_bytes_max:
            # RFC 9113 4.2. Raised before the rest of the frame arrives.
            raise FrameTooLargeError(f"a frame of {length} bytes")
        if self._block and not (
            isinstance(frame, ContinuationFrame) and frame.stream_id == self._block[0].stream_id
        ):
            # RFC 9113 6.10.
            raise ProtocolError("another frame within a field block")
        end = _HEADER_BYTES + length
        if len(data) < end:
            return None
        body = memoryview(bytes(data[_HEADER_BYTES:end]))
        del data[:end]
        return self._parse(frame, body)

    def _parse(self, frame: Frame, body: memoryview) -> Frame | BrokenFrame:
        try:
            frame.parse_body(body)
        except InvalidPaddingError as error:
            raise ProtocolError("the padding is longer than the frame") from error
        except InvalidDataError as error:
            if isinstance(frame, WindowUpdateFrame) and frame.stream_id:
                # RFC 9113 6.9: an increment of zero.
                return BrokenFrame(frame.stream_id, ErrorCodes.PROTOCOL_ERROR)
            if isinstance(frame, SettingsFrame):
                # RFC 9113 6.5: an acknowledgement with content.
                raise FrameDataMissingError(str(error)) from error
            raise ProtocolError(str(error)) from error
        except InvalidFrameError as error:
            if isinstance(frame, PriorityFrame):
                # RFC 9113 6.3.
                return BrokenFrame(frame.stream_id, ErrorCodes.FRAME_SIZE_ERROR)
            if not isinstance(frame, AltSvcFrame):
                raise FrameDataMissingError(str(error)) from error
        return frame

    def _join(self, frame: HeadersFrame | ContinuationFrame) -> Frame | None:
        ends = "END_HEADERS" in frame.flags
        if not self._block and (ends or isinstance(frame, ContinuationFrame)):
            # Complete in one frame; or a CONTINUATION without HEADERS, which the codec refuses.
            return frame
        self._block.append(frame)
        self._block_bytes += len(frame.data)
        if self._block_bytes > self._block_bytes_max:
            raise DenialOfServiceError("a field block is too large to be decoded")
        if not ends:
            return None
        whole = self._block[0]
        whole.data = b"".join(part.data for part in self._block)
        self._block = []
        self._block_bytes = 0
        return whole
