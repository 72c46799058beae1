"""Objects returned instead of a coroutine: a known result, or a marker that there is nothing to await."""

from typing import Any

class Ready:
    """An awaitable with a known result; like a coroutine, it can be made a Task."""

    def __init__(self, value: Any) -> None:
        """Keep the result."""

    def __await__(self) -> Any:
        """Return what ends at once."""
