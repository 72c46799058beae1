"""Structs as MessagePack: what is stored of objects and answers."""

from collections.abc import Mapping
from typing import Any, final

import msgspec

@final
class Packer:
    """Packs as the library does, except for a tail: fields at the end of a struct that have their defaults.

    `tails` says of some types from which field on most instances have the defaults, and those defaults.
    Unpacking adds them again.
    """

    def __init__(self, tails: Mapping[type[msgspec.Struct], tuple[int, tuple[object, ...]]]) -> None:
        """Raises: ValueError for other defaults than a type has fields; TypeError for a type of no array."""

    def pack(self, value: Any) -> bytes:
        """Return the value in MessagePack, structs without their tails.

        Raises: as the library does; AttributeError for a struct with a field that is not set.
        """

    def pack_all(self, values: list[Any]) -> list[bytes]:
        """Return what `pack` does of each."""
