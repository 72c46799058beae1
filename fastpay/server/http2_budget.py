"""What a client of HTTP/2 may spend on frames that ask for nothing.

Every defence against floods is one question: has this connection done enough useful work to pay for its
PINGs, SETTINGS, resets and crumbs? Frames are counted by their headers, before the codec spends time on
them.
"""

from h2.errors import ErrorCodes

from fastpay import limits

DATA, HEADERS, RST_STREAM, CONTINUATION = 0, 1, 3, 9
END_STREAM = 0x1

_HEADER_BYTES = 9
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


class Bucket:
    """Tokens that come with time and with work, up to a burst."""

    def __init__(self, burst: int, per_second: int, now: float) -> None:
        self._burst = burst
        self._per_second = per_second
        self._tokens = float(burst)
        self._filled = now

    def spend(self, count: int, now: float) -> bool:
        """Take tokens; return False when there are not enough."""
        self._tokens = min(self._burst, self._tokens + (now - self._filled) * self._per_second)
        self._filled = now
        self._tokens -= count
        return self._tokens >= 0

    def earn(self, count: int) -> None:
        """Add tokens for useful work."""
        self._tokens = min(self._burst, self._tokens + count)


class FrameCounter:
    """Finds the frames in a byte stream that arrives in any pieces."""

    def __init__(self, *, skip: int) -> None:
        self._skip = skip
        self._header = b""
        self._continuations = 0

    def count(self, data: bytes) -> tuple[int, int, ErrorCodes | None]:
        """Return how many frames are mere control, how many are resets, and what is wrong with the last."""
        control = resets = 0
        place = 0
        length = len(data)
        while True:
            skipped = min(self._skip, length - place)
            place += skipped
            self._skip -= skipped
            missing = _HEADER_BYTES - len(self._header)
            if length - place < missing:
                self._header += data[place:]
                return control, resets, None
            header = self._header + data[place : place + missing] if self._header else data[place : place + 9]
            self._header = b""
            place += missing
            self._skip = header[0] << 16 | header[1] << 8 | header[2]
            if self._skip > limits.http2_frame_bytes_max:
                # The codec would first wait for all of it (RFC 9113 4.2).
                return control, resets, ErrorCodes.FRAME_SIZE_ERROR
            kind = header[3]
            if kind == DATA:
                small = self._skip < limits.http2_small_frame_bytes and not header[4] & END_STREAM
                control += small
            elif kind == HEADERS:
                self._continuations = 0
            else:
                control += 1
                resets += kind == RST_STREAM
                if kind == CONTINUATION:
                    self._continuations += 1
                    if self._continuations > limits.http2_continuations_max:
                        return control, resets, ErrorCodes.ENHANCE_YOUR_CALM


class Budget:
    """The budget of one connection."""

    def __init__(self, now: float) -> None:
        self._incoming = FrameCounter(skip=len(PREFACE))
        self._outgoing = FrameCounter(skip=0)
        self._control = Bucket(limits.http2_control_burst, limits.http2_control_per_second, now)
        self._resets = Bucket(limits.http2_reset_burst, limits.http2_reset_per_second, now)

    def take_in(self, data: bytes, now: float) -> ErrorCodes | None:
        """Pay for what a client sent; return why the connection must end when it cannot."""
        control, resets, fault = self._incoming.count(data)
        if fault is not None:
            return fault
        if resets and not self._resets.spend(resets, now):
            return ErrorCodes.ENHANCE_YOUR_CALM
        if control and not self._control.spend(control, now):
            return ErrorCodes.ENHANCE_YOUR_CALM
        return None

    def take_out(self, data: bytes, now: float) -> bool:
        """Pay for resets that a client provoked; return False when it cannot."""
        _, resets, _ = self._outgoing.count(data)
        return not resets or self._resets.spend(resets, now)

    def earn_request(self) -> None:
        """A request was answered to its end."""
        self._control.earn(4)
        self._resets.earn(1)

    def earn_data(self) -> None:
        """A DATA frame was sent, for which a client may send two WINDOW_UPDATEs."""
        self._control.earn(2)
