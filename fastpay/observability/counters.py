"""The counters of the process since its start."""

from collections.abc import Mapping
from typing import Protocol


class Counting(Protocol):
    """A part that counts."""

    def counts(self) -> Mapping[str, int]:
        """Return the counters since the start, by name."""


class Counters:
    """All counters of the process. They are collected only when they are read."""

    def __init__(self) -> None:
        self._sources: list[Counting] = []

    def add(self, *sources: Counting) -> None:
        """Add the counters of parts, whose names no other part may have."""
        self._sources.extend(sources)

    def read(self) -> dict[str, int]:
        """Return all counters, by name."""
        counts: dict[str, int] = {}
        for source in self._sources:
            found = source.counts()
            assert counts.keys().isdisjoint(found), "two parts use one counter name"
            counts.update(found)
        return counts
