"""One timer for every connection: a hashed wheel whose nodes are the connections themselves."""

import asyncio
from collections.abc import Callable as Function

class Node:
    """Something with a deadline, with room for its own links, so that waiting allocates nothing."""

class Callback(Node):
    """A node that calls a function without arguments; for protocols that are not compiled."""

    function: Function[[], object]
    def __init__(self, function: Function[[], object]) -> None: ...

class Wheel:
    """Calls `expire` on nodes whose deadline has passed, at most one tick late.

    The wheel does not keep its nodes alive. `each_tick` is called once a tick, for other work that is due a
    few times a second.
    """

    now: int
    count: int
    tick_seconds: float
    def __init__(
        self, loop: asyncio.AbstractEventLoop, tick_seconds: float, each_tick: Function[[], object]
    ) -> None: ...
    def start(self) -> None:
        """Begin to turn by the loop's clock."""

    def stop(self) -> None:
        """Stop turning."""

    def turn(self) -> None:
        """Advance to the loop's time, however late the call is, and schedule the next call."""

    def advance(self, target: int) -> None:
        """Expire everything due up to the tick `target`."""

    def nodes(self) -> list[Node]:
        """Return all nodes in a new list."""

    def join(self, node: Node) -> None:
        """Add a node without a deadline."""

    def set_deadline(self, node: Node, seconds: float) -> None:
        """Expire the node after this many seconds; a later call replaces an earlier one."""

    def clear_deadline(self, node: Node) -> None:
        """Remove the deadline; the node stays in the wheel."""

    def leave(self, node: Node) -> None:
        """Remove a node."""
