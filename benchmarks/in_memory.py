"""A transport without a socket, and room for an event loop beside others."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
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


@contextmanager
def loop_apart() -> Iterator[None]:
    """Let the block run an event loop: another path of the benchmark has made its own the running one."""
    running = asyncio._get_running_loop()  # noqa: SLF001
    asyncio._set_running_loop(None)  # noqa: SLF001
    try:
        yield
    finally:
        asyncio._set_running_loop(running)  # noqa: SLF001
