"""The versions and events of a command, one by one."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any


def number(
    kinds: tuple[Callable[..., Any], Callable[..., Any]],
    changed: Mapping[str, Any],
    announced: Sequence[tuple[str, str]],
    held: Mapping[str, Any],
    sequence: int,
    next_identifier: Callable[[str], str],
) -> tuple[list[Any], list[Any]]:
    """Return the versions, and the events after `sequence`, of these two kinds."""
    versioned, event = kinds
    last = sequence + len(announced)
    numbers: dict[str, int] = {}
    versions = []
    for identifier, stored in changed.items():
        previous = held.get(identifier)
        numbers[identifier] = 1 if previous is None else previous.version + 1
        versions.append(versioned(stored, numbers[identifier], last))
    events = []
    for number_, (event_type, identifier) in enumerate(announced, sequence + 1):
        events.append(event(next_identifier("evt"), event_type, number_, identifier, numbers[identifier]))
    return versions, events
