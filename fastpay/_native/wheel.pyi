"""One timer for every connection: a hashed wheel whose nodes are the connections themselves."""

import asyncio
from collections.abc import Callable as Function

class Node:
    """Something with a deadline, and with room for its own links, so that waiting allocates nothing."""

class Callback(Node):
    """A node that calls a function without arguments; for protocols that are not compiled."""

    function: Function[[], object]
    def __init__(self, function: Function[[], object]) -> None: ...

class Wheel:
    """Calls `expire` on nodes whose deadline has passed, late by at most one tick.

    The wheel does not keep its nodes alive. `each_tick` is called once a turn, for what else should happen
    a few times a second.
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
        """Turn no further."""

    def turn(self) -> None:
        """Advance to the loop's time, however late the call is, and set the next call."""

    def advance(self, target: int) -> None:
        """Expire everything due up to the tick `target`."""

    def nodes(self) -> list[Node]:
        """Return all nodes in a new list."""

    def join(self, node: Node) -> None:
        """Take a node in, without a deadline."""

    def set_deadline(self, node: Node, seconds: float) -> None:
        """Expire the node after this many seconds; a later call replaces an earlier one."""

    def clear_deadline(self, node: Node) -> None:
        """Take the deadline away; the node stays in the wheel."""

    def leave(self, node: Node) -> None:
        """Forget a node."""
