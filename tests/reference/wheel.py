"""Deadlines without a wheel: a dictionary that is searched whole at every tick."""


class Wheel:
    """Expires what is due, in one pass over everything."""

    def __init__(self) -> None:
        self.now = 1
        self.due: dict[int, int] = {}

    def set_deadline(self, node: int, ticks: int) -> None:
        """Let the node expire this many ticks from now."""
        self.due[node] = self.now + ticks

    def clear_deadline(self, node: int) -> None:
        """Let it not expire."""
        self.due.pop(node, None)

    def advance(self, target: int) -> set[int]:
        """Go on to the tick and return what expired."""
        self.now = max(self.now, target)
        expired = {node for node, due in self.due.items() if due <= self.now}
        for node in expired:
            del self.due[node]
        return expired
