"""Who is connected and whom to close first, with plain lists: the oracle of `fastpay/_native/peers.pyx`."""

from collections.abc import Hashable


class Peers:
    """All peers by name, each with its connections in the order in which they began to wait."""

    def __init__(self) -> None:
        self._connections: dict[str, list[Hashable]] = {}
        self._waiting: dict[str, list[Hashable]] = {}

    def counts(self) -> dict[str, int]:
        return {name: len(members) for name, members in self._connections.items()}

    def enter(self, member: Hashable, name: str) -> None:
        self._connections.setdefault(name, []).append(member)
        self._waiting.setdefault(name, []).append(member)

    def exit(self, member: Hashable) -> None:
        for name, members in list(self._connections.items()):
            if member in members:
                members.remove(member)
                self.note_working(member)
                if not members:
                    del self._connections[name]

    def note_waiting(self, member: Hashable) -> None:
        for name, members in self._connections.items():
            if member in members and member not in self._waiting[name]:
                self._waiting[name].append(member)

    def note_working(self, member: Hashable) -> None:
        for members in self._waiting.values():
            if member in members:
                members.remove(member)

    def candidates(self) -> set[Hashable]:
        """Return what may be closed: of each peer with the most connections, what has waited longest."""
        counts = {name: count for name, count in self.counts().items() if self._waiting[name]}
        most = max(counts.values(), default=0)
        return {self._waiting[name][0] for name, count in counts.items() if count == most}
