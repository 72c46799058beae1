"""Structs without the fields at their end that have their defaults, by way of a tuple of all fields."""

from collections.abc import Mapping
from typing import Any

import msgspec


def shorten(tails: Mapping[type, tuple[int, tuple[object, ...]]], value: msgspec.Struct) -> Any:
    """Return the fields before the tail, or the struct."""
    tail = tails.get(type(value))
    if tail is None:
        return value
    start, defaults = tail
    values = msgspec.structs.astuple(value)
    return values[:start] if values[start:] == defaults else value
