"""The budget of an HTTP/2 client, in plain Python."""

from fastpay import limits
from tests.reference.frame_counter import FrameCounter


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

    def pay(self, provoked: int, dropped: int, now: float) -> bool:
        """Pay for resets that a client provoked and frames that were dropped; return False if it cannot."""
        return (not provoked or self._resets.spend(provoked, now)) and (
            not dropped or self._control.spend(dropped, now)
        )

    def earn_request(self) -> None:
        """Add tokens for a request that was answered to its end."""
        self._control.earn(4)
        self._resets.earn(1)

    def earn_data(self) -> None:
        """Add tokens for a sent DATA frame of some size: a client may send two WINDOW_UPDATEs for it."""
        self._control.earn(2)
