"""One listening socket in front of one ASGI application, for HTTP/1.1 and HTTP/2."""

import asyncio
import os
import resource
import socket
import stat
from collections.abc import Callable
from contextlib import suppress
from ssl import SSLContext
from typing import Any

from msgspec.structs import replace

from fastpay import limits
from fastpay._native.acceptor import Acceptor
from fastpay._native.histograms import Histograms
from fastpay._native.http1 import Connection
from fastpay._native.poller import Poller
from fastpay._native.service import Service
from fastpay._native.tls import Tls
from fastpay.clock import SystemClock
from fastpay.errors import ConfigurationError
from fastpay.server import forwarded, http2, http2_engine, tls
from fastpay.server.admission import Admission
from fastpay.server.bytes_budget import BytesBudget
from fastpay.server.http2_events import Http2Codec
from fastpay.server.lifespan import Lifespan
from fastpay.server.refusal import Refuser
from fastpay.server.settings import ASGIApplication, ServerSettings

__all__ = ["ASGIApplication", "Server", "ServerSettings"]


class Server:
    """Serves one ASGI application until it is stopped."""

    def __init__(
        self,
        app: ASGIApplication,
        settings: ServerSettings,
        *,
        request_times: Histograms | None = None,
        inherited: socket.socket | None = None,
    ) -> None:
        """`inherited` is a socket that listens already; then the address of the settings is not bound."""
        self._app = app
        self._inherited = inherited
        self._settings = settings
        self._request_times = request_times
        self._refuser = Refuser(SystemClock())
        self._clock = SystemClock()
        self._lifespan = Lifespan(app)
        self._context: SSLContext | None = None
        self._create_codec: Callable[[], Http2Codec] | None = None
        self._service: Service | None = None
        self.bytes_budget = BytesBudget(
            settings.inflight_bytes_max,
            count_connections=lambda: self.connection_count,
            now_ns=self._clock.monotonic_ns,
        )
        self._admission: Admission | None = None
        self._poller: Poller | None = None
        self._emptied = asyncio.Event()
        self._forwarded: Callable[[dict[str, Any]], None] | None = None
        # The Unix socket whose path is removed at the stop. An inherited one is another's until `accept`.
        self._unix_identity: tuple[int, int] | None = None
        self._inherited_identity: tuple[int, int] | None = None
        self.url = ""
        # The socket that listens, which the process of the next program inherits.
        self.listening: socket.socket | None = None

    @property
    def connection_count(self) -> int:
        """How many connections are open."""
        return 0 if self._service is None else self._service.connection_count

    @property
    def request_count(self) -> int:
        """How many requests were passed to the application."""
        return 0 if self._service is None else self._service.request_count

    def counts(self) -> dict[str, int]:
        """Return what was counted since the start, by name, and what is so now."""
        return {"connections": self.connection_count, "requests": self.request_count}

    def refusals(self) -> list[tuple[str, dict[str, str], int]]:
        """Return how many requests the transport has refused, by status, as samples for the metrics."""
        counts = self._refuser.counts
        return [("fastpay_refusals", {"status": str(status)}, count) for status, count in counts.items()]

    async def start(self) -> None:
        """Open and accept connections. Raises: ConfigurationError, as `open`."""
        await self.open()
        self.accept()

    async def open(self) -> None:
        """Bind, and run the application's lifespan startup. Connections wait in the kernel until `accept`.

        Raises: ConfigurationError if the address is not available, the certificate or the named engine of
        HTTP/2 is unusable, or the application cannot start.
        """
        settings = self._settings
        if settings.http2:
            self._create_codec = http2_engine.create_codecs(
                http2_engine.choose(settings.http2_engine), settings
            )
        if settings.tls_cert is not None:
            self._context = tls.create_context(settings.tls_cert, settings.tls_key, http2=settings.http2)
        self._forwarded = forwarded.create_reader(settings.trusted_proxies)
        listener = self.listening = self._bind()
        try:
            await self._lifespan.start()
        except BaseException:
            listener.close()
            raise
        self.url = self._describe(listener)

    def accept(self) -> None:
        """Accept connections. Nothing may fail after this: an accepted connection is no other process's."""
        assert self.listening is not None
        self._unix_identity = self._unix_identity or self._inherited_identity
        service = self._service = self._create_service(self.listening)
        self._accept(self.listening, service)
        service.wheel.start()

    async def hand_over(self, *, period_ms: int, until: asyncio.Event) -> None:
        """Accept nothing new, and serve the open connections until they end, the period is over or `until`.

        The listening socket stays open in the process that has inherited it. Over HTTP/1.1 the next response
        ends its connection. Over HTTP/2 GOAWAY comes when no request is open, because many clients give up
        requests that are open then; those that cross it are safe to send again (RFC 9113 6.8). After it the
        client closes, because it may write the next request before it reads it. Call `stop` afterwards.
        """
        service, poller = self._service, self._poller
        if service is None or poller is None:
            return
        poller.close()
        # The path of a Unix socket belongs to the other process now.
        self._unix_identity = None
        service.retiring = True
        for connection in list(service.http2_connections):
            connection.flush()
        emptied = asyncio.ensure_future(self._wait_left(service))
        waited = {emptied, asyncio.ensure_future(until.wait())}
        await asyncio.wait(waited, timeout=period_ms / 1000, return_when=asyncio.FIRST_COMPLETED)
        for waiter in waited:
            waiter.cancel()

    async def stop(self) -> None:
        """Accept nothing new, finish running requests within the drain timeout, and close."""
        service, poller = self._service, self._poller
        if service is None:
            await self._close_unaccepted()
        if service is None or poller is None:
            return
        self._poller = None
        service.draining = True
        poller.close()
        self._forget_unix_socket()
        for connection in self._connections(service):
            connection.retire()
        await self._drain(service)
        poller.release()
        service.wheel.stop()
        await service.runner.close()
        await self._lifespan.stop(timeout_seconds=self._settings.stop_timeout_ms / 1000)

    def reload_tls(self) -> None:
        """Use the certificate that the files hold now for new connections; open ones are not affected.

        Raises: ConfigurationError if the files are unusable; then the old certificate stays in use.
        """
        if self._context is not None and self._settings.tls_cert is not None:
            tls.reload(self._context, self._settings.tls_cert, self._settings.tls_key)

    async def _close_unaccepted(self) -> None:
        if self.listening is not None:
            self.listening.close()
            self.listening = None
            self._forget_unix_socket()
            await self._lifespan.stop(timeout_seconds=self._settings.stop_timeout_ms / 1000)

    async def _drain(self, service: Service) -> None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._settings.drain_timeout_ms / 1000
        with suppress(TimeoutError):
            async with asyncio.timeout_at(deadline):
                await self._wait_empty(service)
        await service.runner.wait(max(0.0, deadline - loop.time()))
        for connection in self._connections(service):
            connection.abort()
        service.runner.cancel()
        await service.runner.wait(limits.cancel_timeout_ms / 1000)
        # Transports report their end one turn of the loop later.
        await asyncio.sleep(0)

    async def _wait_left(self, service: Service) -> None:
        """Wait until no connection is left, also none whose TLS handshake is not complete."""
        while self._connections(service):
            await self._wait_empty(service)
            await asyncio.sleep(self._settings.tick_ms / 1000)

    async def _wait_empty(self, service: Service) -> None:
        self._emptied.clear()
        service.when_empty(self._emptied.set)
        await self._emptied.wait()

    def _connections(self, service: Service) -> list[Any]:
        nodes = [node for node in service.wheel.nodes() if isinstance(node, Connection | Tls)]
        return nodes + list(service.http2_connections)

    def _create_service(self, listener: socket.socket) -> Service:
        settings = self._settings
        connections_max = open_connections_max(settings.connections_max)
        refuser = self._refuser
        admission = self._admission = Admission(
            settings,
            self._clock,
            refuser,
            forwarded.create_check(settings.trusted_proxies),
            connections_max=connections_max,
        )
        service = Service(
            self._app,
            asyncio.get_running_loop(),
            replace(settings, connections_max=connections_max),
            clock=self._clock,
            refuse=refuser,
            switch_to_http2=None
            if self._create_codec is None
            else http2.create_factory(settings, self._create_codec, refuser.request_id),
            server=self._server_address(listener),
            scheme="https" if self._context is not None else "http",
            is_exempt=admission.is_exempt,
            group_of=admission.group_of,
            bytes_budget=self.bytes_budget,
        )
        service.forwarded = self._forwarded
        service.request_times = self._request_times
        if self._lifespan.supported:
            service.state = self._lifespan.state
        return service

    def _accept(self, listener: socket.socket, service: Service) -> None:
        assert self._admission is not None
        poller = self._poller = Poller(asyncio.get_running_loop(), listener, service.bytes_budget)
        poller.listen(Acceptor(poller, service, self._admission, self._context))

    def _bind(self) -> socket.socket:
        settings = self._settings
        if self._inherited is not None:
            return self._adopt(self._inherited)
        try:
            listener = self._bind_unix(settings.unix) if settings.unix is not None else self._bind_tcp()
        except OSError as error:
            address = settings.unix or f"{settings.host}:{settings.port}"
            raise ConfigurationError(f"cannot listen on {address}: {error.strerror or error}") from error
        listener.setblocking(False)
        return listener

    def _adopt(self, listener: socket.socket) -> socket.socket:
        listener.setblocking(False)
        if listener.family == socket.AF_UNIX:
            self._settings = replace(self._settings, unix=listener.getsockname())
            status = os.stat(listener.getsockname())
            self._inherited_identity = (status.st_dev, status.st_ino)
        else:
            self._settings = replace(self._settings, unix=None, host=listener.getsockname()[0])
        return listener

    def _bind_tcp(self) -> socket.socket:
        settings = self._settings
        listener = socket.socket(socket.AF_INET6 if ":" in settings.host else socket.AF_INET)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if settings.reuse_port:
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            listener.bind((settings.host, settings.port))
            listener.listen(limits.accept_backlog)
        except OSError:
            listener.close()
            raise
        return listener

    def _bind_unix(self, path: str) -> socket.socket:
        # Remove only sockets: a typing error in the path must not delete a file.
        if os.path.exists(path) and stat.S_ISSOCK(os.stat(path).st_mode):
            os.unlink(path)
        listener = socket.socket(socket.AF_UNIX)
        try:
            listener.bind(path)
            listener.listen(limits.accept_backlog)
        except OSError:
            listener.close()
            raise
        status = os.stat(path)
        self._unix_identity = (status.st_dev, status.st_ino)
        return listener

    def _forget_unix_socket(self) -> None:
        # Another instance may have bound the path in the meantime. Then it is not ours to remove.
        path = self._settings.unix
        if path is None or not os.path.exists(path):
            return
        status = os.stat(path)
        if (status.st_dev, status.st_ino) == self._unix_identity:
            os.unlink(path)

    def _server_address(self, listener: socket.socket) -> tuple[str, int | None]:
        if self._settings.unix is not None:
            return (self._settings.unix, None)
        host, port = listener.getsockname()[:2]
        return (host, port)

    def _describe(self, listener: socket.socket) -> str:
        if self._settings.unix is not None:
            return f"http+unix://{self._settings.unix}"
        scheme = "https" if self._settings.tls_cert else "http"
        host = f"[{self._settings.host}]" if ":" in self._settings.host else self._settings.host
        return f"{scheme}://{host}:{listener.getsockname()[1]}"


def open_connections_max(wanted: int) -> int:
    """Return how many connections the process can hold: `wanted`, or fewer if it may open fewer files."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return wanted
    return max(1, min(wanted, soft - limits.reserved_files))
