"""The plain oracle of `fastpay/_native/histograms.pyx`."""

from bisect import bisect_left
from collections.abc import Sequence


def distribute(bounds: Sequence[int], values: Sequence[int]) -> tuple[list[int], int]:
    """Return how many values are in each bucket, the one above all bounds included, and their sum."""
    counts = [0] * (len(bounds) + 1)
    for value in values:
        counts[bisect_left(bounds, value)] += 1
    return counts, sum(values)
