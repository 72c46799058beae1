"""The connections to one server: those with a request, and those that are kept for the next ones."""

import asyncio
import math
import ssl
from contextlib import suppress
from ipaddress import ip_address

import yarl

from fastpay import limits
from fastpay.outbound.http1.connection import Connection, Turns
from fastpay.outbound.lookups import Resolve


class Pool:
    """Connects on demand, and lends the connection that was used last. It has no bound of its own.

    One timer for all deadlines runs while there are connections. It looks at those with a request if one of
    them has come to its deadline, and each time if silence counts.
    """

    def __init__(
        self,
        url: yarl.URL,
        *,
        turn_ms: int,
        idle_ms: int,
        silent_ms: int = 0,
        tls: ssl.SSLContext | None,
        resolve: Resolve,
    ) -> None:
        """Connections are over TLS if `tls` is given. `url` says where to.

        The timer looks every `turn_ms`. The server may be silent for `silent_ms` while it is its turn.
        """
        assert url.raw_host is not None
        assert url.port is not None
        self._host, self._port = url.raw_host, url.port
        self._tls = tls
        self._resolve = resolve
        self._turn_s = turn_ms / 1000
        # A turn may come at once, so one more is a whole timeout.
        self._silent_turns = math.ceil(silent_ms / turn_ms)
        self._idle_turns = math.ceil(idle_ms / turn_ms)
        self._turns = Turns()
        self._timer: asyncio.TimerHandle | None = None
        self._lent: set[Connection] = set()
        self._idle: list[Connection] = []
        self._addresses: list[str] = []
        self._resolved_s = 0.0
        self._lookup: asyncio.Task[Exception | None] | None = None
        self._is_closed = False
        with suppress(ValueError):
            ip_address(self._host)
            # It is no name.
            self._addresses, self._resolved_s = [self._host], math.inf

    def take_kept(self) -> Connection | None:
        """Lend a connection that is kept and on which nothing has come, to `give_back`. None without one."""
        idle = self._idle
        while idle:
            connection = idle.pop()
            if connection.is_open:
                return self._lend(connection)
        return None

    async def connect(self, within_s: float) -> Connection:
        """Lend a new connection, to `give_back`. Nothing is sent. Raises: OSError, UnicodeError."""
        async with asyncio.timeout(within_s):
            connection = await self._connect(within_s)
        if self._is_closed:
            connection.close()
            raise ConnectionAbortedError("the client has been closed")
        if not connection.is_open:
            raise ConnectionResetError("it closed the connection before anything was sent")
        return self._lend(connection)

    def give_back(self, connection: Connection, *, is_over: bool) -> None:
        """Keep a connection if its answer `is_over` and it may have another request."""
        self._lent.discard(connection)
        if not is_over:
            connection.close()
        elif connection.release():
            self._idle.append(connection)

    def close(self) -> None:
        """Close all connections."""
        self._is_closed = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._lookup is not None:
            self._lookup.cancel()
        for connection in tuple(self._lent):
            connection.fail(ConnectionAbortedError("the client was closed"))
        for connection in self._idle:
            connection.close()
        self._idle.clear()

    def _lend(self, connection: Connection) -> Connection:
        self._lent.add(connection)
        if self._timer is None:
            self._start_timer()
        return connection

    async def _connect(self, within_s: float) -> Connection:
        """Connect to the first address that answers in its time. Raises: OSError, UnicodeError."""
        loop, failure = asyncio.get_running_loop(), OSError("its name has no address")
        addresses = await self._find_addresses()
        part_s = within_s / max(1, min(len(addresses), limits.outbound_addresses_tried))
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
            self._lookup = asyncio.create_task(self._look_up(), name="look a server's name up")
        lookup = self._lookup
        if lookup is not None:
            await asyncio.wait(
                (lookup,), timeout=limits.outbound_lookup_ms / 1000 if self._addresses else None
            )
            if lookup.cancelled():
                raise ConnectionAbortedError("the client has been closed")
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
                self._resolved_s = asyncio.get_running_loop().time() + limits.outbound_resolved_ms / 1000

    def _start_timer(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(self._turn_s, self._look)

    def _look(self) -> None:
        """Look through everything that has a deadline."""
        try:
            self._look_at_all()
        finally:
            # Whatever fails there, the others still have their deadlines.
            self._timer = None
            if self._lent or self._idle:
                self._start_timer()

    def _look_at_all(self) -> None:
        turns, idle = self._turns, self._idle
        turns.now += 1
        now_s = asyncio.get_running_loop().time()
        if self._silent_turns or now_s >= turns.due_s:
            for connection in list(self._lent):
                connection.look(self._silent_turns, now_s)
            # Only now: if one of them fails to be looked at, all are looked at again.
            turns.due_s = min((one.until_s for one in self._lent), default=math.inf)
        # The one that was used last is at the end, and those that have ended are left out when they are lent.
        last, ended = turns.now - self._idle_turns, 0
        while ended < len(idle) and idle[ended].since <= last:
            idle[ended].close()
            ended += 1
        del idle[:ended]
