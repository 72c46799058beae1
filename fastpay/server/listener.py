"""The door: one listening socket in front of one ASGI application."""

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from hypercorn.asyncio import serve
from hypercorn.config import Config, Sockets

from fastpay.errors import ConfigurationError

ASGIApplication = Callable[[Any, Any, Any], Awaitable[None]]


class ServerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Where to listen and how long to wait when told to stop.

    `unix` takes the place of `host` and `port`; port 0 picks a free one. `drain_timeout_ms` bounds
    how long running requests may take to end once `Server.stop` was called.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    unix: str | None = None
    reuse_port: bool = False
    tls_cert: str | None = None
    tls_key: str | None = None
    body_bytes_max: int = 1_048_576
    drain_timeout_ms: int = 3_000


class Server:
    """Serves one ASGI application until told to stop."""

    def __init__(self, app: ASGIApplication, settings: ServerSettings) -> None:
        self._app = app
        self._settings = settings
        self._stopping = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.url = ""

    async def start(self) -> None:
        """Bind, run the application's lifespan startup and accept connections.

        Raises: ConfigurationError when the address cannot be had.
        """
        listener = self._bind()
        config = Config()
        config.create_sockets = lambda: (  # type: ignore[method-assign]
            Sockets([listener], [], []) if self._settings.tls_cert else Sockets([], [listener], [])
        )
        config.certfile = self._settings.tls_cert
        config.keyfile = self._settings.tls_key
        config.graceful_timeout = self._settings.drain_timeout_ms / 1000
        config.accesslog = None
        config.errorlog = None
        config.keep_alive_max_requests = 1 << 30
        config.h11_max_incomplete_size = 1 << 16
        config.include_server_header = False
        started = asyncio.Event()

        async def announcing(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] != "lifespan":
                await self._app(scope, receive, send)
                return

            async def send_lifespan(message: Any) -> None:
                await send(message)
                if message["type"].startswith("lifespan.startup"):
                    started.set()

            await self._app(scope, receive, send_lifespan)

        self._task = asyncio.create_task(
            serve(announcing, config, shutdown_trigger=self._stopping.wait, mode="asgi"),
            name="server",
        )
        waiter = asyncio.create_task(started.wait())
        await asyncio.wait({self._task, waiter}, return_when=asyncio.FIRST_COMPLETED)
        waiter.cancel()
        if self._task.done():
            self._task.result()
            raise ConfigurationError("the server ended before it served")
        self.url = self._describe(listener)

    async def stop(self) -> None:
        """Accept nothing new, finish what runs within the drain timeout, and close."""
        self._stopping.set()
        if self._task is not None:
            await self._task

    def _bind(self) -> socket.socket:
        settings = self._settings
        try:
            if settings.unix is not None:
                if os.path.exists(settings.unix):
                    os.unlink(settings.unix)
                listener = socket.socket(socket.AF_UNIX)
                listener.bind(settings.unix)
            else:
                family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
                listener = socket.socket(family)
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if settings.reuse_port:
                    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
                listener.bind((settings.host, settings.port))
        except OSError as error:
            place = settings.unix or f"{settings.host}:{settings.port}"
            raise ConfigurationError(f"cannot listen on {place}: {error.strerror or error}") from error
        listener.listen(4096)
        listener.setblocking(False)
        return listener

    def _describe(self, listener: socket.socket) -> str:
        if self._settings.unix is not None:
            return f"http+unix://{self._settings.unix}"
        scheme = "https" if self._settings.tls_cert else "http"
        host = f"[{self._settings.host}]" if ":" in self._settings.host else self._settings.host
        return f"{scheme}://{host}:{listener.getsockname()[1]}"
