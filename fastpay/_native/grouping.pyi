"""Lists that are put together anew: rows of what was written by command, tables of rows by their kind."""

from typing import Any, TypeVar

_Owner = TypeVar("_Owner")
_Item = TypeVar("_Item")

def spread(owners: list[_Owner], groups: list[list[_Item]]) -> tuple[list[_Owner], list[_Item]]:
    """Return the items of all groups, and for each of them the owner of its group.

    Raises: ValueError if there are not as many owners as groups.
    """

def group(keys: list[Any], parts: tuple[list[Any], ...]) -> dict[Any, tuple[list[Any], ...]]:
    """Return for each key the items of its rows, as the same parts. A row whose key is None is in none.

    Keys are in the order in which they come first, and rows in their own order.
    Raises: ValueError if a part has not as many items as there are keys.
    """
