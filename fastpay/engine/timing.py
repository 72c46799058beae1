"""How long the stages of one request took, for a client that asked."""


class Timing:
    """A clock that is read whenever a stage ends; a stage that ends again goes on where it was."""

    __slots__ = ("_last_ns", "stages")

    def __init__(self, begun_ns: int) -> None:
        self._last_ns = begun_ns
        # Nanoseconds by the name of the stage, in the order in which they ended first.
        self.stages: dict[str, int] = {}

    def end(self, stage: str, now_ns: int) -> None:
        """Take note that a stage has ended at this moment of the monotonic clock."""
        self.stages[stage] = self.stages.get(stage, 0) + now_ns - self._last_ns
        self._last_ns = now_ns
