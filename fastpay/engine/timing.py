"""The duration of each stage of a request, for a client that asks for it."""


class Timing:
    """Is told when each stage ends. A stage that ends a second time adds to its duration."""

    __slots__ = ("_last_ns", "stages")

    def __init__(self, begun_ns: int) -> None:
        self._last_ns = begun_ns
        # Nanoseconds by the name of the stage, in the order of their first end.
        self.stages: dict[str, int] = {}

    def end(self, stage: str, now_ns: int) -> None:
        """Note that a stage ended at `now_ns` of the monotonic clock."""
        self.stages[stage] = self.stages.get(stage, 0) + now_ns - self._last_ns
        self._last_ns = now_ns
