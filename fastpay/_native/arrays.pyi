"""Arrays as PostgreSQL takes them in binary (its source: src/backend/utils/adt/arrayfuncs.c, array_recv).

The driver asks of every element whether it is an array itself, which costs more than all else about it.
"""

from collections.abc import Iterable
from typing import Any, final

@final
class ArrayType:
    """An array type, named by its elements.

    uuid: a UUID, or text whose last 32 characters are its digits · boolean · smallint, integer,
    bigint · timestamptz: milliseconds since 1970 · text · bytea. None is null in all of them.
    """

    def __init__(self, name: str) -> None:
        """Raises: KeyError for a name that is none of these."""

    def encode(self, items: Iterable[Any]) -> bytes:
        """Return the array of these items; bytes are returned as they are, taken for one that is encoded.

        Raises: ValueError for what is out of range, or is no identifier; TypeError for another kind of value.
        """

def encode_columns(types: tuple[ArrayType, ...], records: list[tuple[Any, ...]]) -> list[bytes]:
    """Return one encoded array a column of these records. Raises: as `ArrayType.encode`.

    Raises ValueError as well where a record has more or fewer values than there are types.
    """
