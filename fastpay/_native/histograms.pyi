"""Histograms with the same bounds, counted in one array."""

from collections.abc import Sequence

class Histograms:
    """As many histograms as there are `series`. A bucket holds what is at most its bound; the last the rest.

    Raises: ValueError if the bounds do not ascend, or there is no series.
    """

    bounds: tuple[int, ...]
    series: int
    def __init__(self, bounds: Sequence[int], series: int) -> None: ...
    def observe(self, value: int, series: int = 0) -> None:
        """Count a value. Raises: IndexError for a series that does not exist."""

    def read(self, series: int = 0) -> tuple[list[int], int]:
        """Return the count of each bucket, and the sum of all values. Raises: IndexError."""

    def used(self) -> list[int]:
        """Return the series that have a value."""
