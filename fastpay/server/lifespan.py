"""The application's startup and shutdown (ASGI lifespan)."""

import asyncio
from typing import Any

from fastpay.errors import ConfigurationError
from fastpay.server.settings import ASGIApplication


class Lifespan:
    """Runs an application's lifespan; an application without one is served too."""

    def __init__(self, app: ASGIApplication) -> None:
        self._app = app
        self._incoming: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._outgoing: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None
        self.state: dict[str, Any] = {}
        self.supported = False

    async def start(self) -> None:
        """Run the startup.

        Raises: ConfigurationError if the application reports that it cannot start.
        """
        scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": self.state}
        self._task = asyncio.create_task(self._run(scope), name="lifespan")
        await self._incoming.put({"type": "lifespan.startup"})
        answer = await self._next()
        if answer is None:
            # An exception before any message means that the application has no lifespan; the specification
            # allows this.
            return
        if answer["type"] == "lifespan.startup.failed":
            await asyncio.wait([self._task])
            raise ConfigurationError(answer.get("message") or "the application could not start")
        self.supported = True

    async def stop(self, *, timeout_seconds: float) -> None:
        """Run the shutdown, with a timeout."""
        if self._task is None or not self.supported:
            return
        await self._incoming.put({"type": "lifespan.shutdown"})
        try:
            async with asyncio.timeout(timeout_seconds):
                await self._next()
                await self._task
        except TimeoutError:
            self._task.cancel()
            await asyncio.wait([self._task], timeout=1)

    async def _run(self, scope: dict[str, Any]) -> None:
        await self._app(scope, self._incoming.get, self._outgoing.put)

    async def _next(self) -> dict[str, Any] | None:
        assert self._task is not None
        getter = asyncio.ensure_future(self._outgoing.get())
        await asyncio.wait({getter, self._task}, return_when=asyncio.FIRST_COMPLETED)
        if getter.done():
            return getter.result()
        getter.cancel()
        error = self._task.exception()
        if error is not None and self.supported:
            raise error
        return None
