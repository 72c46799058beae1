"""What an HTTP/2 client may spend on frames that ask for nothing.

Every defence against floods is one question: has this connection done enough useful work to pay for its
PINGs, SETTINGS, resets and tiny frames? Frames are counted by their headers, before the codec spends time
on them.
"""

from fastpay import limits

DATA, HEADERS, RST_STREAM, CONTINUATION = 0, 1, 3, 9
END_STREAM, PADDED = 0x1, 0x8

_HEADER_BYTES = 9
_PREFACE_BYTES = 24


class Bucket:
    """Tokens that are added with time and with work, up to a burst."""

    def __init__(self, burst: int, per_second: int, now: float) -> None:
        self._burst = burst
        self._per_second = per_second
        self._tokens = float(burst)
        self._filled = now

    def refill(self, now: float) -> float:
        """Add the tokens of the elapsed time, and return how many there are."""
        self._tokens = min(self._burst, self._tokens + (now - self._filled) * self._per_second)
        self._filled = now
        return self._tokens

    def spend(self, count: int, now: float) -> bool:
        """Take tokens; return False if there are not enough."""
        self.refill(now)
        self._tokens -= count
        return self._tokens >= 0

    def earn(self, count: int) -> None:
        """Add tokens for useful work."""
        self._tokens = min(self._burst, self._tokens + count)


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


class Budget:
    """The budget of one connection."""

    def __init__(self, now: float) -> None:
        self._incoming = FrameCounter()
        self._control = Bucket(limits.http2_control_burst, limits.http2_control_per_second, now)
        self._resets = Bucket(limits.http2_reset_burst, limits.http2_reset_per_second, now)

    def take_in(self, data: bytes, now: float) -> int:
        """Pay for received bytes; return how many of them the client could pay for, or -1 for all."""
        frames = self._incoming
        paid = frames.count(data, control_max=self._control.refill(now), resets_max=self._resets.refill(now))
        if frames.control:
            self._control.spend(frames.control, now)
        if frames.resets:
            self._resets.spend(frames.resets, now)
        return paid

    def begin_anew(self, now: float) -> None:
        """Fill the budget again, for the windows of the last responses."""
        self._control = Bucket(limits.http2_control_burst, limits.http2_control_per_second, now)

    def take_windows(self, count: int, now: float) -> bool:
        """Pay for frames that open windows for the last responses; return False if they are too many."""
        return self._control.spend(count, now)

    def pay(self, *, resets: int, dropped: int, now: float) -> bool:
        """Pay for resets that a client provoked and frames that were dropped; return False if it cannot."""
        return (not resets or self._resets.spend(resets, now)) and (
            not dropped or self._control.spend(dropped, now)
        )

    def earn_request(self) -> None:
        """Add tokens for a request that was answered to its end."""
        self._control.earn(4)
        self._resets.earn(1)

    def earn_data(self) -> None:
        """Add tokens for a sent DATA frame of some size: a client may send two WINDOW_UPDATEs for it."""
        self._control.earn(2)
