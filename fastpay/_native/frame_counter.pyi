"""Counts the frames of an HTTP/2 client by their headers, before a codec spends time on them."""

class FrameCounter:
    """Finds frame headers in a byte stream that arrives in pieces of any size."""

    @property
    def control(self) -> int:
        """How many control frames and tiny DATA frames the last bytes had."""

    @property
    def resets(self) -> int:
        """How many RST_STREAM frames the last bytes had."""

    def count(self, data: bytes, *, control_max: float, resets_max: float) -> int:
        """Count control frames and resets; return how many bytes come before one too many, or -1."""
