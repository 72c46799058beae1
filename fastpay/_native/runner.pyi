"""Runs coroutines immediately, inside a Task that they keep if they have to wait."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

class Runner:
    """Starts coroutines of one loop immediately.

    Inside the coroutine `asyncio.current_task()` and the context variables are those of one Task from the
    first instruction to the last, as if it had been started by `asyncio.create_task`.
    """

    loop: asyncio.AbstractEventLoop
    def __init__(self, loop: asyncio.AbstractEventLoop) -> None: ...
    @property
    def waiting_count(self) -> int:
        """How many started coroutines wait in their Tasks."""

    def run(self, coroutine: Awaitable[Any], function: Callable[[BaseException | None], object]) -> None:
        """Start a coroutine now; `function` gets its exception, or None, when it has ended."""

    def cancel(self) -> None:
        """Cancel every waiting Task."""

    async def wait(self, timeout_seconds: float | None) -> bool:
        """Wait until the coroutines that wait now have ended; return whether none is left."""

    async def close(self) -> None:
        """End the spare Task."""
