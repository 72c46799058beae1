"""Arrays in PostgreSQL's binary format (its source: src/backend/utils/adt/arrayfuncs.c, array_recv).

The driver checks for every element whether it is an array itself, which costs more than the rest of the
encoding.
"""

from collections.abc import Iterable
from typing import Any, final

@final
class ArrayType:
    """An array type, named by its element type.

    uuid: a UUID, or text whose last 32 characters are its digits · boolean · smallint, integer, bigint ·
    timestamptz: milliseconds since 1970 · text · bytea. None is null in all of them.
    """

    def __init__(self, name: str) -> None:
        """Raises: KeyError for an unknown name."""

    def encode(self, items: Iterable[Any]) -> bytes:
        """Return the array of these items; bytes are returned unchanged, as an encoded array.

        Raises: ValueError for a value out of range or a malformed identifier; TypeError for another type of
        value.
        """

@final
class Field:
    """A column of a table: where its value is in each row, which has an item in each of some parts.

    `path` begins with the index of a part. Names may follow: of a field of that part's items, of a field of
    what it refers to, and so on. Structs, named tuples and objects with slots have fields. `parts` are the
    types of the items. Those that are values themselves need none. A plain tuple is given as the tuple of its
    types, and its items have numbers for names.
    """

    def __init__(self, array: ArrayType, parts: tuple[Any, ...], path: str) -> None:
        """Raises: TypeError, ValueError, IndexError if there is no such path."""

def encode_table(fields: tuple[Field, ...], parts: tuple[list[Any], ...]) -> list[bytes]:
    """Return one encoded array for each field. Values are read without running Python code.

    The parts are the columns of what the rows are made of: all have as many items as there are rows.

    Raises: TypeError for a part that is not as the fields say, ValueError for parts of different lengths; as
    `ArrayType.encode`.
    """

def encode_tables(
    fields: dict[str, tuple[Field, ...]],
    tables: list[tuple[str, tuple[list[Any], ...]]],
    names: list[str],
    encoded: list[bytes],
    rows_max: int,
) -> bool:
    """Append the name and the encoded columns of each table that has rows. `fields` has those of each.

    Do nothing and return False if all have more than `rows_max` rows together.
    Raises: as `encode_table`; KeyError for a table without fields.
    """
