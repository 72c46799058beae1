"""Arrays in PostgreSQL's binary form, one element after the other. Source: array_send of its arrayfuncs.c."""

import struct
import uuid
from collections.abc import Callable, Sequence
from typing import Any

_EPOCH_MS = 946_684_800_000

# By name: the identifier of the elements' type, and what one element's bytes are.
_ELEMENTS: dict[str, tuple[int, Callable[[Any], bytes]]] = {
    "uuid": (2950, lambda item: item.bytes if isinstance(item, uuid.UUID) else uuid.UUID(item[-32:]).bytes),
    "boolean": (16, lambda item: struct.pack(">?", item)),
    "smallint": (21, lambda item: struct.pack(">h", item)),
    "integer": (23, lambda item: struct.pack(">i", item)),
    "bigint": (20, lambda item: struct.pack(">q", item)),
    "timestamptz": (1184, lambda item: struct.pack(">q", (item - _EPOCH_MS) * 1000)),
    "text": (25, lambda item: item.encode()),
    "bytea": (17, bytes),
}


def encode(name: str, items: Sequence[Any]) -> bytes:
    """Return the array. Raises: struct.error or ValueError for what its type cannot hold."""
    oid, element = _ELEMENTS[name]
    head = struct.pack(">iiI", 1 if items else 0, any(item is None for item in items), oid)
    if not items:
        return head
    encoded = [head, struct.pack(">ii", len(items), 1)]
    for item in items:
        if item is None:
            encoded.append(struct.pack(">i", -1))
        else:
            data = element(item)
            encoded += [struct.pack(">i", len(data)), data]
    return b"".join(encoded)
