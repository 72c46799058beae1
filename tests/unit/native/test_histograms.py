"""Histograms that compiled code counts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastpay._native.histograms import Histograms
from tests.reference import histograms as oracle

_VALUES = st.integers(-(10**12), 10**12)


@given(
    st.lists(_VALUES, min_size=1, max_size=20, unique=True).map(sorted),
    st.lists(st.tuples(st.integers(0, 3), _VALUES)),
)
def test_each_series_counts_its_own_values(bounds: list[int], observed: list[tuple[int, int]]) -> None:
    histograms = Histograms(bounds, 4)
    for series, value in observed:
        histograms.observe(value, series)
    for series in range(4):
        mine = [value for one, value in observed if one == series]
        assert histograms.read(series) == oracle.distribute(bounds, mine)
    assert histograms.used() == sorted({series for series, _ in observed})


@pytest.mark.parametrize("series", [-1, 2])
def test_a_series_that_does_not_exist_is_refused(series: int) -> None:
    histograms = Histograms([1], 2)
    with pytest.raises(IndexError):
        histograms.observe(1, series)
    with pytest.raises(IndexError):
        histograms.read(series)


@pytest.mark.parametrize(("bounds", "series"), [([], 1), ([2, 1], 1), ([1, 1], 1), ([1], 0)])
def test_bounds_that_do_not_ascend_and_no_series_are_refused(bounds: list[int], series: int) -> None:
    with pytest.raises(ValueError, match="ascend"):
        Histograms(bounds, series)
