"""A transport without a socket."""

from typing import Any


class Transport:
    """What a connection needs of a transport; it keeps the last answer."""

    written = b""

    def write(self, data: bytes) -> None:
        """Keep it."""
        self.written = data

    def get_extra_info(self, name: str) -> Any:
        """Return an address for the peer, and nothing else."""
        return ("127.0.0.1", 9) if name == "peername" else None

    def abort(self) -> None:
        """Do nothing."""
