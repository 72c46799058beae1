"""Arrays as PostgreSQL takes them: the compiled encoder against one made of struct and uuid."""

from typing import Any, NamedTuple

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastpay._native.arrays import ArrayType, Field, encode_table, encode_tables
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


def fields_of(names: list[str]) -> tuple[Field, ...]:
    """Return the fields of parts that are values themselves."""
    return tuple(Field(ArrayType(name), (), str(index)) for index, name in enumerate(names))


@given(TABLES)
def test_each_column_of_rows_is_an_array(table: tuple[list[str], list[tuple[Any, ...]]]) -> None:
    names, rows = table
    # Rows that follow each other may be of the same objects.
    rows = [row for row in rows for _ in range(2)]
    parts = tuple([row[place] for row in rows] for place in range(len(names)))
    columns = [oracle.encode(name, part) for name, part in zip(names, parts, strict=True)]
    assert encode_table(fields_of(names), parts) == columns
    count, made, encoded = len(parts[0]), ["first"], [b"first"]
    tables: list[Any] = [("a", parts), ("none", ([],)), ("a", parts)]
    fields = {"a": fields_of(names)}
    if count:
        assert not encode_tables(fields, tables, made, encoded, 2 * count - 1)
        assert (made, encoded) == (["first"], [b"first"])
    assert encode_tables(fields, tables, made, encoded, 2 * count)
    assert made == ["first", "a", "a"][: 3 if count else 1]
    assert encoded == [b"first", *(columns * 2 if count else [])]


class Place(NamedTuple):
    """A named tuple in a struct."""

    country: str
    floor: int


class Base(msgspec.Struct, frozen=True):
    """A struct whose fields another one inherits."""

    id: str
    place: Place


class Shop(Base, frozen=True):
    """A struct that stands where its base is expected."""

    name: str | None


class Owner:
    """An object with slots."""

    __slots__ = ("age", "shop")

    shop: Base
    age: int


def test_a_field_is_found_through_structs_named_tuples_and_slots() -> None:
    owner = Owner()
    owner.shop, owner.age = Shop("sh_1", Place("de", 3), None), 40
    other = Owner()
    other.shop, other.age = owner.shop, owner.age
    parts = ([owner, other], [owner.shop] * 2, [b"whole"] * 2, [(7, (owner.shop,)), (7, (owner.shop,))])
    paths = {
        ("integer", "0.age"): 40,
        ("text", "0.shop.id"): "sh_1",
        ("text", "0.shop.place.country"): "de",
        ("smallint", "1.place.floor"): 3,
        ("text", "1.name"): None,
        ("bytea", "2"): b"whole",
        ("text", "3.1.0.id"): "sh_1",
        ("bigint", "3.0"): 7,
    }
    types = (Owner, Shop, bytes, (int, (Shop,)))
    fields = tuple(Field(ArrayType(name), types, path) for name, path in paths)
    assert encode_table(fields, parts) == [
        oracle.encode(name, [value, value]) for (name, _), value in paths.items()
    ]


@pytest.mark.parametrize(
    "parts",
    [
        ([Base("sh_1", Place("de", 3))],),
        ([Owner()],),
        ([None],),
        (None,),
        ((Shop("sh_1", Place("de", 3), "name"),),),
        [[Shop("sh_1", Place("de", 3), "name")]],
        None,
        Shop("sh_1", Place("de", 3), "name"),
    ],
)
def test_a_part_that_is_not_as_its_field_says_is_refused(parts: Any) -> None:
    """Its memory is not read as if it was what the field says."""
    with pytest.raises(TypeError):
        encode_table((Field(ArrayType("text"), (Shop,), "0.name"),), parts)


def test_a_tuple_without_the_item_of_a_field_is_refused() -> None:
    with pytest.raises(TypeError, match="all its items"):
        encode_table((Field(ArrayType("bigint"), ((int, int),), "0.1"),), ([(7, 8), (7,)],))


def test_a_part_that_is_not_there_is_refused() -> None:
    with pytest.raises(TypeError, match="all parts"):
        encode_table((Field(ArrayType("bigint"), (), "1"),), ([1],))


def test_parts_of_different_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="as many items"):
        encode_table(fields_of(["bigint", "bigint"]), ([1, 2], [1]))


def test_a_slot_that_is_not_set_is_refused() -> None:
    with pytest.raises(AttributeError):
        encode_table((Field(ArrayType("integer"), (Owner,), "0.age"),), ([Owner()],))


@pytest.mark.parametrize(
    "path", ["0.nothing", "1.id", "id", "0.place.floor.real", "0.place.a.b.c", "0.place.x"]
)
def test_a_path_that_leads_nowhere_is_refused(path: str) -> None:
    with pytest.raises((TypeError, ValueError, IndexError)):
        Field(ArrayType("integer"), (Shop,), path)


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


def test_something_else_than_a_field_is_refused() -> None:
    fields: Any = (ArrayType("integer"), None)
    for one in fields:
        with pytest.raises(TypeError):
            encode_table((one,), ([1],))
