"""Structs without the fields at their end that have their defaults: those of the oracle."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastpay._native.tails import Tails
from tests.reference import tails as oracle


class _Part(msgspec.Struct, frozen=True):
    name: str | None = None


class _Whole(msgspec.Struct, frozen=True):
    id: str
    amount: int = 0
    part: _Part = _Part()
    names: dict[str, str] = {}
    is_last: bool = False


class _Other(msgspec.Struct, frozen=True):
    id: str


_DEFAULTS: tuple[object, ...] = (0, _Part(), {}, False)
_WHOLES = st.builds(
    _Whole,
    st.text(),
    st.sampled_from([0, 1, 10**9]),
    st.builds(_Part, st.none() | st.text(max_size=1)),
    st.dictionaries(st.text(max_size=1), st.text(max_size=1), max_size=1),
    st.booleans(),
)


@given(st.integers(1, 5), st.lists(_WHOLES | st.builds(_Other, st.text())))
def test_structs_are_shortened_as_the_oracle_does(start: int, values: list[Any]) -> None:
    tails: dict[Any, tuple[int, tuple[object, ...]]] = {_Whole: (start, _DEFAULTS[start - 1 :])}
    shortened = Tails(tails).shorten_all(values)
    assert shortened == [oracle.shorten(tails, value) for value in values]
    assert shortened == [Tails(tails).shorten(value) for value in values]
    assert [type(one) for one in shortened] == [type(oracle.shorten(tails, value)) for value in values]


@pytest.mark.parametrize(("start", "defaults"), [(1, ()), (6, ()), (-1, (0,) * 6), (4, (False, False))])
def test_defaults_that_do_not_fit_are_refused(start: int, defaults: tuple[object, ...]) -> None:
    with pytest.raises(ValueError, match="_Whole"):
        Tails({_Whole: (start, defaults)})


def test_a_field_that_is_not_set_is_refused() -> None:
    class Open(msgspec.Struct):
        id: str
        age: int = 0

    value = Open("a")
    del value.age
    with pytest.raises(AttributeError, match="Open"):
        Tails({Open: (1, (0,))}).shorten(value)
