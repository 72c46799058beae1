"""Connections that many tasks share: each is used by one task at a time, and then by another."""

import asyncio
from collections import deque

import asyncpg

from fastpay import limits
from fastpay.store.postgres import Connection, DatabaseSettings, connect


class SharedConnections:
    """Up to `connections_max` connections, which are opened on demand and closed when they are idle.

    The one that was used last is used next, so that those that a lower load does not need become idle. Tasks
    that wait for a connection get one in the order in which they came.

    It does what asyncpg's pool does, for a twentieth of the instructions: a lone read of one row took most of
    its instructions in that pool.
    """

    def __init__(self, settings: DatabaseSettings, connections_max: int) -> None:
        self._settings = settings
        self._connections_max = connections_max
        # When each was last used, and the connection: the oldest first. Some may be closed.
        self._idle: list[tuple[float, Connection]] = []
        self._in_use: set[Connection] = set()
        # Invariant: the connections in `_idle` and `_in_use`, and those that are being opened.
        self._count = 0
        # Invariant: nobody waits unless all connections are used.
        self._line: deque[asyncio.Future[Connection | None]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._is_closing = False
        self._is_unused = asyncio.Event()

    @property
    def open(self) -> int:
        """How many connections there are, and are being opened."""
        return self._count

    @property
    def used(self) -> int:
        """How many of them are used now."""
        return len(self._in_use)

    def take_idle(self) -> Connection | None:
        """Return an open connection, None if there is none that nobody uses."""
        while self._idle:
            _, connection = self._idle.pop()
            if not connection.is_closed():
                self._in_use.add(connection)
                return connection
            self._count -= 1
        return None

    async def take(self) -> Connection:
        """Return a connection, as soon as there is one. Raises: the driver's errors."""
        if self._is_closing:
            raise asyncpg.InterfaceError("the connections are closed")
        connection = self.take_idle()
        if connection is not None:
            return connection
        if self._count < self._connections_max:
            self._count += 1
        else:
            connection = await self._wait()
        if connection is None or connection.is_closed():
            connection = await self._open()
        self._in_use.add(connection)
        return connection

    def give_back(self, connection: Connection) -> None:
        """Let others have a connection. It may be closed."""
        self._in_use.remove(connection)
        if not connection.is_closed() and connection.is_in_transaction():
            # Nobody else may go on with it.
            connection.terminate()
        self._pass_on(None if connection.is_closed() else connection)

    async def close(self) -> None:
        """Close all connections, and wait for those in use."""
        self._is_closing = True
        if self._timer is not None:
            self._timer.cancel()
        for _, connection in self._idle:
            connection.terminate()
        self._count -= len(self._idle)
        self._idle.clear()
        try:
            while self._count:
                self._is_unused.clear()
                await self._is_unused.wait()
        finally:
            for connection in self._in_use:
                connection.terminate()

    async def _wait(self) -> Connection | None:
        """Wait until another task gives a connection back, or None in place of one that is closed."""
        turn: asyncio.Future[Connection | None] = asyncio.get_running_loop().create_future()
        self._line.append(turn)
        try:
            return await turn
        except BaseException:
            if turn.done() and not turn.cancelled():
                # It came in the same turn of the loop as the reason not to wait for it.
                self._pass_on(turn.result())
            elif turn in self._line:
                self._line.remove(turn)
            raise

    async def _open(self) -> Connection:
        """Open a connection that is counted already."""
        try:
            return await connect(self._settings, statement_timeout_ms=limits.read_statement_timeout_ms)
        except BaseException:
            self._pass_on(None)
            raise

    def _pass_on(self, connection: Connection | None) -> None:
        """Give a connection, or the right to open one in its place, to the task that has waited longest."""
        while self._line:
            turn = self._line.popleft()
            if not turn.done():
                turn.set_result(connection)
                return
        if connection is not None and not self._is_closing:
            loop = asyncio.get_running_loop()
            self._idle.append((loop.time(), connection))
            if self._timer is None:
                self._timer = loop.call_later(limits.database_idle_ms / 1000, self._close_idle)
            return
        if connection is not None:
            connection.terminate()
        self._count -= 1
        if not self._count:
            self._is_unused.set()

    def _close_idle(self) -> None:
        """Close what was not used for long, and look again when the next one may be idle for as long."""
        self._timer, loop = None, asyncio.get_running_loop()
        idle_s = limits.database_idle_ms / 1000
        idle_since = loop.time() - idle_s
        while self._idle and (self._idle[0][0] <= idle_since or self._idle[0][1].is_closed()):
            self._idle.pop(0)[1].terminate()
            self._count -= 1
        if self._idle:
            self._timer = loop.call_at(self._idle[0][0] + idle_s, self._close_idle)
