"""Structs without the fields at their end that have their defaults: what is stored of an object."""

from collections.abc import Mapping
from typing import Any, final

import msgspec

@final
class Tails:
    """Of some types, from which field on most instances have the defaults, and those defaults."""

    def __init__(self, tails: Mapping[type[msgspec.Struct], tuple[int, tuple[object, ...]]]) -> None:
        """Raises: ValueError for other defaults than a type has fields."""

    def shorten(self, value: msgspec.Struct) -> Any:
        """Return the fields before the tail as a tuple, if the rest has the defaults; else the struct itself.

        A struct of another type is returned as it is.
        """

    def shorten_all(self, values: list[Any]) -> list[Any]:
        """Return what `shorten` does of each."""
