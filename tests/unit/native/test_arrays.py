"""Arrays as PostgreSQL takes them: the compiled encoder against one made of struct and uuid."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastpay._native.arrays import ArrayType, encode_columns
from tests.reference import arrays as oracle

IDENTIFIERS = st.builds(
    "{}{:032x}".format, st.sampled_from(["", "pi_", "lacc_", "ключ_"]), st.integers(0, 2**128 - 1)
)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
# The moments that 64 bits of microseconds since 2000 can tell.
MOMENTS = st.integers(-9_223_372_036_854_774 + 946_684_800_000, 9_223_372_036_854_774 + 946_684_800_000)
ELEMENTS: dict[str, st.SearchStrategy[Any]] = {
    "uuid": IDENTIFIERS | st.uuids(),
    "boolean": st.booleans(),
    "smallint": st.integers(-(2**15), 2**15 - 1),
    "integer": st.integers(-(2**31), 2**31 - 1),
    "bigint": st.integers(-(2**63), 2**63 - 1),
    "timestamptz": MOMENTS,
    "text": TEXTS,
    "bytea": st.binary(),
}
ARRAYS = st.sampled_from(sorted(ELEMENTS)).flatmap(
    lambda name: st.tuples(st.just(name), st.lists(st.none() | ELEMENTS[name], max_size=20))
)
TABLES = st.lists(st.sampled_from(sorted(ELEMENTS)), min_size=1, max_size=6).flatmap(
    lambda names: st.tuples(
        st.just(names), st.lists(st.tuples(*(st.none() | ELEMENTS[name] for name in names)), max_size=10)
    )
)


@given(ARRAYS)
def test_an_array_is_encoded_as_its_oracle_does(array: tuple[str, list[Any]]) -> None:
    name, items = array
    encoded = ArrayType(name).encode(items)
    assert encoded == oracle.encode(name, items)
    assert ArrayType(name).encode(encoded) is encoded


@given(TABLES)
def test_each_column_of_records_is_an_array(table: tuple[list[str], list[tuple[Any, ...]]]) -> None:
    names, records = table
    columns = encode_columns(tuple(map(ArrayType, names)), records)
    assert columns == [
        oracle.encode(name, [record[place] for record in records]) for place, name in enumerate(names)
    ]


OUT_OF_RANGE: list[tuple[str, Any]] = [
    ("smallint", 2**15),
    ("smallint", -(2**15) - 1),
    ("integer", 2**31),
    ("integer", -(2**31) - 1),
    ("bigint", 2**63),
    ("bigint", -(2**63) - 1),
    ("timestamptz", 2**63 - 1),
    ("timestamptz", 2**70),
    ("uuid", "f" * 31),
    ("uuid", "pi_" + "F" * 32),
    ("uuid", "pi_" + "f" * 31 + "g"),
    ("uuid", "f" * 31 + "é"),
    ("uuid", ""),
    ("text", "\ud800"),
]
OF_ANOTHER_KIND: list[tuple[str, Any]] = [
    ("boolean", 1),
    ("smallint", True),
    ("bigint", 1.0),
    ("bigint", "1"),
    ("text", b"text"),
    ("bytea", "bytes"),
    ("bytea", bytearray(b"bytes")),
    ("uuid", 5),
    ("uuid", b"f" * 32),
]


@pytest.mark.parametrize(("name", "item"), OUT_OF_RANGE)
def test_what_a_type_cannot_hold_is_a_value_error(name: str, item: object) -> None:
    """As the store takes it for a refusal of the database."""
    with pytest.raises(ValueError):  # noqa: PT011  the words are of no account, the kind is
        ArrayType(name).encode([item])


@pytest.mark.parametrize(("name", "item"), OF_ANOTHER_KIND)
def test_another_kind_of_value_is_a_type_error(name: str, item: object) -> None:
    with pytest.raises(TypeError):
        ArrayType(name).encode([item])


def test_an_unknown_type_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        ArrayType("money")


@pytest.mark.parametrize("record", [(), (1, 2), None, [1]])
def test_a_record_of_another_length_is_refused(record: Any) -> None:
    with pytest.raises((ValueError, TypeError)):
        encode_columns((ArrayType("integer"),), [(1,), record])


def test_something_else_than_a_type_is_refused() -> None:
    types: Any = ("integer",)
    with pytest.raises(TypeError):
        encode_columns(types, [(1,)])
