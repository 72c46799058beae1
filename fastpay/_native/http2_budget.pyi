"""What an HTTP/2 client may spend on frames that ask for nothing."""

class Budget:
    """The budget of one connection. Times are seconds of the event loop's clock."""

    def __init__(self, now: float) -> None: ...
    def take_in(self, data: bytes, now: float) -> int:
        """Pay for received bytes; return how many of them the client could pay for, or -1 for all."""

    def begin_anew(self, now: float) -> None:
        """Fill the budget again, for the windows of the last responses."""

    def take_windows(self, count: int, now: float) -> bool:
        """Pay for frames that open windows for the last responses; return False if they are too many."""

    def pay(self, provoked: int, dropped: int, now: float) -> bool:
        """Pay for resets that a client provoked and frames that were dropped; return False if it cannot."""

    def earn_request(self) -> None:
        """Add tokens for a request that was answered to its end."""

    def earn_data(self) -> None:
        """Add tokens for a sent DATA frame of some size: a client may send two WINDOW_UPDATEs for it."""
