"""What the process has counted since it started, for whoever wants to show it."""

from collections.abc import Mapping
from typing import Protocol


class Counting(Protocol):
    """Whatever counts."""

    def counts(self) -> Mapping[str, int]:
        """Return what was counted since the start, by name."""


class Counters:
    """The one place where everything that is counted can be read. Nothing is gathered before that."""

    def __init__(self) -> None:
        self._sources: list[Counting] = []

    def add(self, source: Counting) -> None:
        """Have a part's counters shown with the others, under names that no other part has."""
        self._sources.append(source)

    def read(self) -> dict[str, int]:
        """Return all counters, by name."""
        counts: dict[str, int] = {}
        for source in self._sources:
            found = source.counts()
            assert counts.keys().isdisjoint(found), "two parts count under one name"
            counts.update(found)
        return counts
