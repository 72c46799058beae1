"""Running a coroutine the ordinary way: in a Task of its own, from the next loop turn on."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any


class Runner:
    """What the compiled runner must be like, but for when the first step happens."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop

    def run(
        self, coroutine: Coroutine[Any, Any, Any], function: Callable[[BaseException | None], object]
    ) -> None:
        """Start a coroutine soon; `function` gets its exception, or None, when it has ended."""

        async def carry() -> None:
            try:
                await coroutine
            except BaseException as error:
                function(error)
                if isinstance(error, asyncio.CancelledError):
                    raise
            else:
                function(None)

        self.loop.create_task(carry())

    async def close(self) -> None:
        """Nothing stands ready here, so nothing is to be ended."""
