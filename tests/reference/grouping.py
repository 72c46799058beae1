"""Rows that are sorted one at a time."""

from collections.abc import Mapping, Sequence
from typing import Any


def sort(drafts: Sequence[tuple[Any, Any]], numbers: Mapping[Any, int | None]) -> tuple[Any, ...]:
    """Return what `Sorter.sort` does."""
    versions = [(one.scope, versioned) for one, draft in drafts for versioned in draft.versions]
    kept = [(scope, one) for scope, one in versions if numbers[type(one.object)] is not None]
    opened = {identifier for _, draft in drafts for identifier in draft.opened}
    accounts: dict[tuple[Any, str], Any] = {}
    for one, draft in reversed(drafts):
        for identifier, account in draft.accounts.items():
            accounts.setdefault((one.scope, identifier), account)
    kinds = dict.fromkeys(type(one.object) for _, one in versions)
    return (
        _lists([(scope, one, numbers[type(one.object)], one.object) for scope, one in kept], 4),
        [_of_type(kind, [row for row in versions if type(row[1].object) is kind]) for kind in kinds],
        _lists([((one, draft), transfer) for one, draft in drafts for transfer in draft.transfers], 2),
        _lists([(one, event) for one, draft in drafts for event in draft.events], 2),
        _lists([(one, one.action) for one, _ in drafts if one.action is not None], 2),
        _lists([(scope, found) for (scope, one), found in accounts.items() if one in opened], 2),
        _lists([(scope, found) for (scope, one), found in accounts.items() if one not in opened], 2),
        len(kept) < len(versions),
    )


def group(keys: Sequence[Any], parts: tuple[Sequence[Any], ...]) -> dict[Any, tuple[list[Any], ...]]:
    """Return the rows of each key, column by column."""
    rows = list(zip(keys, *parts, strict=True))
    return {
        key: tuple([row[number] for row in rows if row[0] == key] for number in range(1, len(parts) + 1))
        for key in dict.fromkeys(keys)
    }


def _of_type(kind: type, rows: Sequence[tuple[Any, Any]]) -> tuple[Any, ...]:
    is_new = {one.version == 1 for _, one in rows}
    state = "mixed"
    if is_new == {True}:
        state = "new"
    elif is_new == {False} and len({one.object.id for _, one in rows}) == len(rows):
        state = "known"
    return kind, state, _lists([(scope, one, one.object) for scope, one in rows], 3)


def _lists(rows: Sequence[tuple[Any, ...]], count: int) -> tuple[list[Any], ...]:
    return tuple([row[place] for row in rows] for place in range(count))
