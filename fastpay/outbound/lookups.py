"""Lookups of names apart from all others.

A lookup waits in the C library for as long as the servers of the name let it, and cannot be ended. The event
loop has four threads for lookups, by which it also connects to the database; so a few names without an answer
would take these from payments. Here each lookup has a thread of its own, which no stop of the process waits
for.
"""

import asyncio
import socket
from _thread import start_new_thread
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any

from fastpay import limits

# Returns what `getaddrinfo` returns for a host and a port.
Resolve = Callable[[str, int], Awaitable[Sequence[Any]]]


class Lookups:
    """Asks the system for addresses, `count` names at a time."""

    def __init__(self, count: int = limits.webhook_lookups_max) -> None:
        self._slots = asyncio.Semaphore(count)

    async def resolve(self, host: str, port: int) -> Sequence[Any]:
        """Return what `getaddrinfo` returns. Raises: OSError, UnicodeError."""
        await self._slots.acquire()
        loop = asyncio.get_running_loop()
        found: asyncio.Future[Sequence[Any]] = loop.create_future()

        def end(addresses: Sequence[Any], error: Exception | None) -> None:
            # Only now: a thread is there until its lookup ends, though nobody waits for it any more.
            self._slots.release()
            if found.done():
                return
            if error is None:
                found.set_result(addresses)
            else:
                found.set_exception(error)

        def look() -> None:
            addresses: Sequence[Any] = ()
            failed: Exception | None = None
            try:
                addresses = socket.getaddrinfo(
                    host, port, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG
                )
            except Exception as error:  # noqa: BLE001  whoever waits gets it
                failed = error
            # The loop may have been closed meanwhile.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(end, addresses, failed)

        try:
            # `threading` would wait until the thread runs, and the event loop with it.
            start_new_thread(look, ())
        except RuntimeError as error:
            self._slots.release()
            raise OSError("the system has no thread left") from error
        return await found
