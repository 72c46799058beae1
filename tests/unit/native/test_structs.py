"""Copies of structs: those of the library, for all that is stored and for whatever is changed."""

import gc
import sys
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastpay._native.structs import replace
from fastpay.domain.kinds import STORED
from fastpay.domain.ledger import Account, Transfer
from fastpay.domain.plan import Answer, Book, ErrorRecord, Event, Versioned
from fastpay.engine.ports import IdempotencyRow, Submission
from tests.reference import structs as oracle

_TYPES: list[Any] = [
    *(kind.struct for kind in STORED.values()),
    *(Account, Transfer, Answer, Book, ErrorRecord, Event, Versioned, IdempotencyRow, Submission),
]


class _Value:
    """Differs from all others: a field of one in the place of another's is seen."""


def _new(struct_type: Any) -> Any:
    return struct_type(**{name: _Value() for name in struct_type.__struct_fields__})


def _values(struct: Any) -> list[Any]:
    return [getattr(struct, name) for name in struct.__struct_fields__]


@given(st.sampled_from(_TYPES), st.data())
def test_a_copy_is_that_of_the_library(struct_type: Any, data: st.DataObject) -> None:
    names = struct_type.__struct_fields__
    changes = {name: _Value() for name in data.draw(st.lists(st.sampled_from(names), unique=True))}
    struct = _new(struct_type)
    before = _values(struct)
    copied = replace(struct, **changes)
    assert type(copied) is struct_type
    # Values are the same objects.
    assert _values(copied) == _values(oracle.replace(struct, **changes))
    assert _values(struct) == before


@pytest.mark.parametrize("struct_type", _TYPES)
def test_each_field_can_be_changed_by_itself_and_none(struct_type: Any) -> None:
    struct = _new(struct_type)
    assert _values(replace(struct)) == _values(struct)
    for name in struct_type.__struct_fields__:
        value = _Value()
        assert _values(replace(struct, **{name: value})) == _values(oracle.replace(struct, **{name: value}))


def test_calls_that_share_a_place_do_not_share_their_fields() -> None:
    """There are fewer places than calls here, each with names of its own."""
    types = [struct_type for struct_type in _TYPES if len(struct_type.__struct_fields__) > 2]
    calls = [
        (struct_type, (first, second))
        for struct_type in types
        for first in struct_type.__struct_fields__
        for second in struct_type.__struct_fields__
        if first != second
    ]
    assert len(calls) > 1_000
    for struct_type, names in calls * 2:
        value = _Value()
        copied = replace(_new(struct_type), **dict.fromkeys(names, value))
        assert [name for name in struct_type.__struct_fields__ if getattr(copied, name) is value] == [
            name for name in struct_type.__struct_fields__ if name in names
        ]


def test_copies_hold_one_reference_to_each_value_and_leave_none_behind() -> None:
    value, other = _Value(), _Value()
    struct = Versioned(value, 1, 2)  # type: ignore[arg-type]
    # What other tests have left.
    gc.collect()
    types, values, others = sys.getrefcount(Versioned), sys.getrefcount(value), sys.getrefcount(other)
    copies = [replace(struct, version=other) for _ in range(1_000)]
    assert sys.getrefcount(value) == values + 1_000
    assert sys.getrefcount(other) == others + 1_000
    with pytest.raises(TypeError):
        replace(struct, version=other, absent=value)
    del copies
    gc.collect()
    assert (sys.getrefcount(value), sys.getrefcount(other)) == (values, others)
    assert sys.getrefcount(Versioned) == types


def test_a_field_that_there_is_not_is_refused() -> None:
    with pytest.raises(TypeError, match="Versioned has no field absent"):
        replace(Versioned(_Value(), 1, 2), absent=1)  # type: ignore[arg-type]


class _Collected(msgspec.Struct):
    name: str


class _Checked(msgspec.Struct, gc=False):
    name: str

    def __post_init__(self) -> None:
        """Look at it."""


class _Hashed(msgspec.Struct, gc=False, frozen=True, cache_hash=True):
    name: str


@pytest.mark.parametrize("struct", [_Collected("a"), _Checked("a"), _Hashed("a"), "no struct", None])
def test_what_is_more_than_its_fields_is_refused(struct: Any) -> None:
    for _ in range(2):
        with pytest.raises(TypeError):
            replace(struct, name="b")


def test_a_field_that_is_not_set_is_refused() -> None:
    class Open(msgspec.Struct, gc=False):
        name: str
        age: int

    struct = Open("a", 1)
    del struct.age
    # From here on the type is known.
    assert replace(struct, age=2).age == 2
    references = sys.getrefcount(Open)
    for _ in range(100):
        with pytest.raises(AttributeError, match="Open"):
            replace(struct, name="b")
    assert sys.getrefcount(Open) == references


def test_only_one_struct_is_copied() -> None:
    with pytest.raises(TypeError, match="takes one struct"):
        replace()  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="takes one struct"):
        replace(Versioned(_Value(), 1, 2), 3)  # type: ignore[arg-type, call-arg]
