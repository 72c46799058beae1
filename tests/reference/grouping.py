"""Lists that are put together anew, a row at a time."""

from collections.abc import Sequence
from typing import Any


def spread(owners: Sequence[Any], groups: Sequence[Sequence[Any]]) -> tuple[list[Any], list[Any]]:
    """Return each item of each group, beside the owner of the group."""
    rows = [(owner, item) for owner, items in zip(owners, groups, strict=True) for item in items]
    return [owner for owner, _ in rows], [item for _, item in rows]


def group(keys: Sequence[Any], parts: tuple[Sequence[Any], ...]) -> dict[Any, tuple[list[Any], ...]]:
    """Return the rows of each key, column by column."""
    rows = list(zip(keys, *parts, strict=True))
    return {
        key: tuple([row[number] for row in rows if row[0] == key] for number in range(1, len(parts) + 1))
        for key in dict.fromkeys(keys)
        if key is not None
    }
