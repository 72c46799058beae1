"""The writing and the closing side of a connection."""

from fastpay._native.wheel import Node

class Link(Node):
    """What a connection does with its transport, whatever it reads."""

    def abort(self) -> None:
        """Drop the connection with whatever is on its way."""
