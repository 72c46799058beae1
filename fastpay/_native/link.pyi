"""The writing and closing side of a connection."""

from fastpay._native.wheel import Node

class Link(Node):
    """The part of a connection that writes and closes, whatever protocol it reads."""

    def abort(self) -> None:
        """Drop the connection and everything in flight on it."""
