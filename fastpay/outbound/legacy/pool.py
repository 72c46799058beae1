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
        self._lookup: asyncio.Task[Exception | None] | None = None

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
            if not connection.is_open:
                raise ConnectionResetError("it closed the connection before anything was sent")
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
        if self._lookup is not None:
            self._lookup.cancel()
        for connection in (*self._lent, *self._idle):
            connection.close()
        self._idle.clear()

    async def _connect(self) -> Connection:
        """Connect to the first address that answers in its time. Raises: OSError, UnicodeError."""
        loop, failure = asyncio.get_running_loop(), OSError("its name has no address")
        addresses = await self._find_addresses()
        part_s = limits.legacy_connect_ms / 1000 / max(1, min(len(addresses), limits.legacy_addresses_tried))
        for address in addresses:
            try:
                async with asyncio.timeout(part_s):
                    _, connection = await loop.create_connection(
                        lambda: Connection(self._turns),
                        address,
                        self._port,
                        ssl=self._tls,
                        server_hostname=None if self._tls is None else self._host,
                    )
            except OSError as error:
                failure = error
                if address in self._addresses:
                    # It is the last one the next time.
                    self._addresses = [*(other for other in self._addresses if other != address), address]
                continue
            return connection
        raise failure

    async def _find_addresses(self) -> list[str]:
        """Return the addresses of the host. Raises: OSError, UnicodeError.

        One lookup is for all that want to know, and goes on if nobody waits for it any more. While it takes
        long, and if it fails, those that are known already are used.
        """
        if self._lookup is None and asyncio.get_running_loop().time() >= self._resolved_s:
            self._lookup = asyncio.create_task(self._look_up(), name="look the older API's name up")
        lookup = self._lookup
        if lookup is not None:
            await asyncio.wait((lookup,), timeout=limits.legacy_lookup_ms / 1000 if self._addresses else None)
            failure = lookup.result() if lookup.done() else None
            if failure is not None and not self._addresses:
                raise failure
        return self._addresses

    async def _look_up(self) -> Exception | None:
        """Find the addresses anew; return why not. Those that have failed stay behind the others."""
        try:
            found = await self._resolve(self._host, self._port)
        except (OSError, UnicodeError) as error:
            return error
        else:
            names = list(dict.fromkeys(str(address[0]) for *_, address in found))
            known = [address for address in self._addresses if address in names]
            self._addresses = [*known, *(name for name in names if name not in known)]
            return None
        finally:
            self._lookup = None
            if self._addresses:
                self._resolved_s = asyncio.get_running_loop().time() + limits.legacy_resolved_ms / 1000

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
