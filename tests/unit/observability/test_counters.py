"""fastpay/observability/counters.py"""

import pytest

from fastpay.observability.counters import Counters


class Part:
    """Counts under the names it is given."""

    def __init__(self, **counts: int) -> None:
        self.now = counts

    def counts(self) -> dict[str, int]:
        """Return what was counted."""
        return self.now


def test_what_is_counted_is_read_when_somebody_asks() -> None:
    counters, one = Counters(), Part(hits=0)
    assert counters.read() == {}
    counters.add(one)
    counters.add(Part(bytes=7))
    one.now = {"hits": 3}
    assert counters.read() == {"hits": 3, "bytes": 7}


def test_two_parts_never_count_under_one_name() -> None:
    counters = Counters()
    counters.add(Part(hits=0))
    counters.add(Part(hits=1))
    with pytest.raises(AssertionError):
        counters.read()
