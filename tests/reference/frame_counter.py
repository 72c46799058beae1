"""Counting the frames of an HTTP/2 client, in plain Python."""

from fastpay import limits

DATA, HEADERS, RST_STREAM, CONTINUATION = 0, 1, 3, 9
END_STREAM, PADDED = 0x1, 0x8

_HEADER_BYTES = 9
_PREFACE_BYTES = 24


class FrameCounter:
    """Finds frame headers in a byte stream that arrives in pieces of any size."""

    def __init__(self) -> None:
        self._skip = _PREFACE_BYTES
        # The received part of a frame header, with the padding length that follows it in a padded frame.
        self._header = b""
        self._continuations = 0
        self.control = 0
        self.resets = 0

    def count(self, data: bytes, *, control_max: float, resets_max: float) -> int:
        """Count control frames and resets; return how many bytes come before one too many, or -1."""
        self.control = self.resets = 0
        offset, length = 0, len(data)
        while True:
            skipped = min(self._skip, length - offset)
            offset += skipped
            self._skip -= skipped
            start = offset - len(self._header)
            header = self._header + data[offset : offset + _HEADER_BYTES + 1 - len(self._header)]
            if len(header) < _HEADER_BYTES or (len(header) == _HEADER_BYTES and _has_padding_length(header)):
                self._header = header
                return -1
            self._header = b""
            offset = start + _HEADER_BYTES
            self._skip = header[0] << 16 | header[1] << 8 | header[2]
            if self._is_too_much(header) or self.control > control_max or self.resets > resets_max:
                return max(start, 0)

    def _is_too_much(self, header: bytes) -> bool:
        kind = header[3]
        if kind == DATA:
            self.control += (
                not header[4] & END_STREAM and _data_bytes(header) < limits.http2_small_frame_bytes
            )
        elif kind == HEADERS:
            self._continuations = 0
        else:
            self.control += 1
            self.resets += kind == RST_STREAM
            if kind == CONTINUATION:
                self._continuations += 1
        return self._continuations > limits.http2_continuations_max


def _has_padding_length(header: bytes) -> bool:
    return header[3] == DATA and bool(header[4] & PADDED) and header[:3] != b"\0\0\0"


def _data_bytes(header: bytes) -> int:
    # Padding is not payload, although the frame's length includes it.
    length = header[0] << 16 | header[1] << 8 | header[2]
    return length - 1 - header[_HEADER_BYTES] if _has_padding_length(header) else length
