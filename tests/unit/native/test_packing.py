"""Structs as MessagePack: byte for byte what the library packs, but for the tail."""

import datetime as dt
import enum
import sys
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastpay._native.packing import Packer
from tests.reference import packing as oracle


class _Part(msgspec.Struct, frozen=True, array_like=True):
    name: str | None = None


class _Whole(msgspec.Struct, frozen=True, array_like=True):
    id: Any
    amount: int = 0
    part: Any = _Part()
    names: dict[str, str] = {}
    is_last: bool = False


class _Named(msgspec.Struct, frozen=True):
    """No array: the library packs the names as well."""

    id: str


class _Tagged(msgspec.Struct, frozen=True, array_like=True, tag="tagged"):
    """An array that begins with more than the fields."""

    id: str


class _Text(str):
    __slots__ = ()


class _Number(enum.IntEnum):
    ONE = 1


_DEFAULTS: tuple[object, ...] = (0, _Part(), {}, False)
# The numbers that MessagePack has a form for, and above all those where the forms change.
_NUMBERS = st.integers(-(2**63), 2**64 - 1) | st.builds(
    lambda power, sign, more: max(min(sign * 2**power + more, 2**64 - 1), -(2**63)),
    st.integers(0, 64),
    st.sampled_from([1, -1]),
    st.integers(-1, 1),
)
_TEXTS = st.text(st.characters(exclude_categories=["Cs"])) | st.builds(
    lambda size: "x" * size, st.sampled_from([31, 32, 255, 256, 2000, 65_535, 65_536])
)
_PLAIN = st.none() | st.booleans() | _NUMBERS | _TEXTS
_ELSE = st.binary() | st.floats(allow_nan=False) | st.just(dt.datetime(2026, 1, 1, tzinfo=dt.UTC))
_STRUCTS = st.builds(_Named, _TEXTS) | st.builds(_Tagged, _TEXTS) | st.builds(_Part, st.none() | _TEXTS)
_VALUES = st.recursive(
    _PLAIN | _ELSE | _STRUCTS | st.just(_Number.ONE),
    lambda values: (
        st.lists(values, max_size=20)
        | st.builds(tuple, st.lists(values, max_size=20))
        | st.dictionaries(_TEXTS, values, max_size=20)
        | st.builds(_Whole, values, st.just(0), values)
    ),
)
_WHOLES = st.builds(
    _Whole,
    _VALUES,
    st.sampled_from([0, 1, 10**9]),
    st.builds(_Part, st.none() | st.text(max_size=1)),
    st.dictionaries(st.text(max_size=1), st.text(max_size=1), max_size=1),
    st.booleans(),
)


@given(_VALUES)
def test_values_are_packed_as_the_library_does(value: Any) -> None:
    assert Packer({}).pack(value) == msgspec.msgpack.encode(value)


@given(st.integers(1, 5), st.lists(_WHOLES | _STRUCTS, max_size=3))
def test_structs_lose_their_tails_as_those_of_the_oracle(start: int, values: list[Any]) -> None:
    tails: dict[Any, tuple[int, tuple[object, ...]]] = {_Whole: (start, _DEFAULTS[start - 1 :])}
    packer = Packer(tails)
    # Twice: the second time it knows the types.
    for _ in range(2):
        packed = packer.pack_all(values)
        assert packed == [oracle.pack(tails, value) for value in values]
        assert packed == [packer.pack(value) for value in values]


def test_a_struct_in_another_one_keeps_its_tail() -> None:
    whole = _Whole(_Whole("a"))
    tails: dict[Any, tuple[int, tuple[object, ...]]] = {_Whole: (1, _DEFAULTS)}
    assert Packer(tails).pack(whole) == oracle.pack(tails, whole)
    assert msgspec.msgpack.decode(Packer(tails).pack(whole)) == [["a", 0, [None], {}, False]]


@pytest.mark.parametrize("size", [15, 16, 65_535, 65_536])
def test_long_arrays_and_maps_have_the_forms_of_the_library(size: int) -> None:
    for value in ((None,) * size, dict.fromkeys(range(size))):
        assert Packer({}).pack(value) == msgspec.msgpack.encode(value)


def test_a_text_of_a_type_of_its_own_is_left_to_the_library() -> None:
    with pytest.raises(TypeError):
        msgspec.msgpack.encode(_Text("a"))
    with pytest.raises(TypeError):
        Packer({}).pack((_Text("a"),))


@pytest.mark.parametrize(
    ("value", "error"), [(2**64, OverflowError), ("\ud800", UnicodeEncodeError), (object(), TypeError)]
)
def test_what_the_library_refuses_is_refused(value: object, error: type[Exception]) -> None:
    with pytest.raises(error):
        msgspec.msgpack.encode((value,))
    with pytest.raises(error):
        Packer({}).pack((value,))


def test_a_value_that_holds_itself_is_refused() -> None:
    value: dict[str, object] = {}
    value["self"] = value
    with pytest.raises(RecursionError):
        Packer({}).pack(_Whole(value))


def test_a_deep_value_is_refused_each_time() -> None:
    value: object = ()
    for _ in range(20_000):
        value = (value,)
    packer = Packer({})
    for _ in range(3):
        with pytest.raises(RecursionError):
            packer.pack(_Whole(value))


def test_what_is_packed_near_the_limit_is_right_or_refused() -> None:
    value = _Whole({"k": "v"}, 0, ((1, 2),))
    right = msgspec.msgpack.encode(value)

    def pack_at(depth: int) -> bytes:
        return pack_at(depth - 1) if depth else Packer({}).pack(value)

    refused = 0
    for depth in range(sys.getrecursionlimit()):
        try:
            assert pack_at(depth) == right
        except RecursionError:
            refused += 1
    assert 0 < refused < sys.getrecursionlimit()


@pytest.mark.parametrize(("start", "defaults"), [(1, ()), (6, ()), (-1, (0,) * 6), (4, (False, False))])
def test_defaults_that_do_not_fit_are_refused(start: int, defaults: tuple[object, ...]) -> None:
    with pytest.raises(ValueError, match="_Whole"):
        Packer({_Whole: (start, defaults)})


def test_a_tail_of_what_is_no_array_is_refused() -> None:
    with pytest.raises(TypeError, match="_Named"):
        Packer({_Named: (0, ("",))})


def test_a_field_that_is_not_set_is_refused() -> None:
    class Open(msgspec.Struct, array_like=True):
        id: str
        age: int = 0

    value = Open("a")
    del value.age
    with pytest.raises(AttributeError, match="Open"):
        Packer({Open: (1, (0,))}).pack(value)
