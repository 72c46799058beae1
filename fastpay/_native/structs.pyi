"""Copies of structs in which some fields are changed, slot by slot."""

from typing import Any, TypeVar

import msgspec

_Struct = TypeVar("_Struct", bound=msgspec.Struct)

def replace(struct: _Struct, /, **changes: Any) -> _Struct:
    """Return a copy of a struct with these fields changed, as `msgspec.structs.replace` does.

    Raises: TypeError for a field that there is not, and for a type with `gc`, `__post_init__` or anything
    else beside its fields.
    """
