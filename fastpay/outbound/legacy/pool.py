"""The connections to the legacy API: those with a request, and those that are kept for the next ones."""

import asyncio
import ssl
from math import ceil

import yarl

from fastpay import limits
from fastpay.outbound.connector import Resolve
from fastpay.outbound.legacy.connection import Connection, Turns


class Pool:
    """Connects on demand, and lends the connection that was used last. It has no bound of its own.

    One timer for all deadlines runs while there are connections.
    """

    def __init__(
        self,
        url: yarl.URL,
        *,
        timeout_ms: int,
        idle_ms: int,
        tls: ssl.SSLContext | None,
        resolve: Resolve,
    ) -> None:
        """Connections are over TLS if `tls` is given. `url` says where to."""
        assert url.raw_host is not None
        assert url.port is not None
        self._host, self._port = url.raw_host, url.port
        self._tls = tls
        self._resolve = resolve
        # A turn may come at once, so one more is a whole timeout.
        self._silent_turns = ceil(timeout_ms / limits.legacy_turn_ms)
        self._idle_turns = ceil(idle_ms / limits.legacy_turn_ms)
        self._turns = Turns()
        self._timer: asyncio.TimerHandle | None = None
        self._lent: set[Connection] = set()
        self._idle: list[Connection] = []
        self._addresses: list[str] = []
        self._resolved_s = 0.0
        self._resolving = asyncio.Lock()

    async def take(self) -> Connection:
        """Lend a connection on which nothing has come yet, to `give_back`. Raises: OSError, UnicodeError."""
        idle = self._idle
        while idle:
            connection = idle.pop()
            if connection.is_open:
                break
        else:
            async with asyncio.timeout(limits.legacy_connect_ms / 1000):
                connection = await self._connect()
        self._lent.add(connection)
        if self._timer is None:
            self._start_timer()
        return connection

    def give_back(self, connection: Connection, *, is_over: bool) -> None:
        """Keep a connection if its answer `is_over` and it may have another request."""
        self._lent.discard(connection)
        if not is_over:
            connection.close()
        elif connection.release():
            self._idle.append(connection)

    def close(self) -> None:
        """Close all connections."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for connection in (*self._lent, *self._idle):
            connection.close()
        self._idle.clear()

    async def _connect(self) -> Connection:
        """Connect to the first address that answers. Raises: OSError, UnicodeError."""
        loop, failure = asyncio.get_running_loop(), OSError("its name has no address")
        addresses = self._addresses
        if loop.time() >= self._resolved_s:
            addresses = await self._find_addresses()
        for address in addresses:
            try:
                _, connection = await loop.create_connection(
                    lambda: Connection(self._turns),
                    address,
                    self._port,
                    ssl=self._tls,
                    server_hostname=None if self._tls is None else self._host,
                )
            except OSError as error:
                failure = error
                continue
            # It is the first one the next time.
            if address != addresses[0] and addresses is self._addresses:
                self._addresses = [address, *(other for other in addresses if other != address)]
            return connection
        raise failure

    async def _find_addresses(self) -> list[str]:
        """Return the addresses of the host: one request asks for all that want to know."""
        loop = asyncio.get_running_loop()
        async with self._resolving:
            if loop.time() >= self._resolved_s:
                found = await self._resolve(self._host, self._port)
                self._addresses = list(dict.fromkeys(str(address[0]) for *_, address in found))
                self._resolved_s = loop.time() + limits.legacy_resolved_ms / 1000
            return self._addresses

    def _start_timer(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(limits.legacy_turn_ms / 1000, self._look)

    def _look(self) -> None:
        """Look through everything that has a deadline."""
        self._turns.now += 1
        for connection in list(self._lent):
            connection.look(self._silent_turns)
        last = self._turns.now - self._idle_turns
        kept = []
        for connection in self._idle:
            if connection.is_open and connection.since > last:
                kept.append(connection)
            else:
                connection.close()
        self._idle[:] = kept
        self._timer = None
        if self._lent or self._idle:
            self._start_timer()
