"""Structs as MessagePack by the library, without the fields at their end that have their defaults."""

from collections.abc import Mapping
from typing import Any

import msgspec


def pack(tails: Mapping[type[msgspec.Struct], tuple[int, tuple[object, ...]]], value: Any) -> bytes:
    """Return the fields before the tail as an array if the rest has the defaults, else all of the value."""
    tail = tails.get(type(value))
    if tail is None:
        return msgspec.msgpack.encode(value)
    start, defaults = tail
    values = msgspec.structs.astuple(value)
    return msgspec.msgpack.encode(values[:start] if values[start:] == defaults else value)
