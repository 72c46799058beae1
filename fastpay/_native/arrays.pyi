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

def encode_columns(types: tuple[ArrayType, ...], records: list[tuple[Any, ...]]) -> list[bytes]:
    """Return one encoded array for each column of these records. Raises: as `ArrayType.encode`.

    Raises ValueError also if a record has more or fewer values than there are types.
    """
