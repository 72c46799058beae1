"""Lists that are put together anew: as the oracle does it a row at a time."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastpay._native.grouping import group, spread
from tests.reference import grouping as oracle

_GROUPS = st.lists(st.tuples(st.text(max_size=1), st.lists(st.integers(), max_size=3)), max_size=5)
_ROWS = st.lists(st.tuples(st.none() | st.sampled_from("abc"), st.integers(), st.text(max_size=2)))


@given(_GROUPS)
def test_each_item_has_its_owner_beside_it(pairs: list[tuple[str, list[int]]]) -> None:
    owners, groups = [owner for owner, _ in pairs], [items for _, items in pairs]
    assert spread(owners, groups) == oracle.spread(owners, groups)


@given(_ROWS)
def test_rows_are_told_apart_by_their_keys(rows: list[tuple[str | None, int, str]]) -> None:
    keys, *parts = ([row[place] for row in rows] for place in range(3))
    made, expected = group(keys, tuple(parts)), oracle.group(keys, tuple(parts))
    assert list(made.items()) == list(expected.items())


def test_lists_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="a group"):
        spread([1], [])
    with pytest.raises(ValueError, match="each key"):
        group([1], ([1, 2],))
    with pytest.raises(ValueError, match="each key"):
        group([1], ([1], []))


def test_what_is_no_list_is_refused() -> None:
    wrong: Any = (1,)
    with pytest.raises(TypeError):
        spread([1], [wrong])
    with pytest.raises(TypeError):
        group([1], (wrong,))
