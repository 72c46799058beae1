"""One connection to Redis for everything: what is asked of it in one loop turn leaves in one write.

redis-py lends a connection to one command at a time, makes objects and tasks for each, and waits for the
answer before it sends the next. Here commands follow each other without waiting, and answers come in the same
order.

Nobody waits for longer than `redis_timeout_ms`. Who does closes the connection for all: it is what a circuit
breaker does, and there is no answer left that could be taken for another command's. From then on `is_open` is
False, and nothing is asked, until a connection made in the background has answered. A connection on which
nothing is asked is sent a PING now and then, so that one that leads nowhere does not stay.
"""

import asyncio
import ssl
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, cast

import hiredis

from fastpay import limits
from fastpay.engine.dependency_ports import NoPart, Part
from fastpay.errors import FastpayError

# What hiredis makes of an answer: bytes, integers, None, errors, and lists of these.
Reply = Any
Heard = Callable[[Reply], None]
Word = bytes | str | int


class RedisAwayError(Exception):
    """There is no connection, or it ended before the answer came. Says why, where that is known."""


class RedisLink:
    """Sends commands, and tells whoever asked of the answer: a `RedisAwayError` where none came.

    `greet` is called on each new connection before it is open to everybody. It asks what has to be asked
    first; what it raises closes the connection again. `pushed` gets the messages of a channel that `greet`
    subscribed to. `part` is told whether there is a connection to be had.
    """

    def __init__(
        self,
        redis_url: str,
        *,
        greet: Callable[[], Awaitable[None]],
        pushed: Heard | None = None,
        part: Part | None = None,
    ) -> None:
        self._redis_url = redis_url
        self._greet = greet
        self.pushed = pushed
        self._part = part if part is not None else NoPart()
        self._wire: _Wire | None = None
        self._task: asyncio.Task[None] | None = None
        self._is_greeted = False
        self.openings = 0
        # Connections that ended, or could not be made.
        self.failures = 0
        self.timeouts = 0
        self.bytes_sent = 0
        self.bytes_received = 0

    @property
    def is_open(self) -> bool:
        """Tell whether anything can be asked now."""
        return self._is_greeted and self._wire is not None and not self._wire.is_full

    def start(self) -> None:
        """Begin to connect, and to connect again."""
        self._task = asyncio.create_task(self._keep_connected(), name="redis")

    async def close(self) -> None:
        """End the connection."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    def send(self, *words: Word, heard: Heard) -> None:
        """Send a command with all others of this loop turn, and have `heard` called with what comes of it."""
        if self._wire is None:
            heard(RedisAwayError())
        else:
            # Published with the type of a tuple of one.
            self._wire.send(hiredis.pack_command(words), heard)  # type: ignore[arg-type]

    async def ask(self, *words: Word) -> Reply:
        """Send a command and return what it is answered with. Raises: RedisAwayError, hiredis.ReplyError."""
        future: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()

        def hear(reply: Reply) -> None:
            if future.done():
                return
            if isinstance(reply, Exception):
                future.set_exception(reply)
            else:
                future.set_result(reply)

        self.send(*words, heard=hear)
        return await future

    async def _keep_connected(self) -> None:
        loop = asyncio.get_running_loop()
        backoff_ms = limits.redis_backoff_ms
        failed_before = False
        while True:
            opened_at = None
            try:
                async with asyncio.timeout(limits.connect_timeout_ms / 1000):
                    self._wire = await self._connect()
                    await self._greet()
                self._is_greeted, opened_at, failed_before = True, loop.time(), False
                self._part.back()
                await self._keep_asking(self._wire)
            except FastpayError:
                # The database was away, and not Redis.
                pass
            except Exception as error:  # noqa: BLE001  whatever stands in the way, reads go on without it
                # Once may be a moment's delay.
                if failed_before:
                    self._part.lost(str(error) or type(error).__name__)
                failed_before = True
            finally:
                self._is_greeted = False
                if self._wire is not None:
                    self._wire.abort()
                    self._wire = None
            self.failures += 1
            if opened_at is not None:
                self.openings += 1
                if loop.time() - opened_at >= limits.redis_stable_ms / 1000:
                    backoff_ms = limits.redis_backoff_ms
            await asyncio.sleep(backoff_ms / 1000)
            backoff_ms = min(backoff_ms * 2, limits.redis_backoff_max_ms)

    async def _keep_asking(self, wire: "_Wire") -> None:
        """Return when the connection has ended, and find out now and then whether it leads anywhere."""
        while not wire.ended.done():
            await asyncio.wait((wire.ended,), timeout=limits.redis_ping_interval_ms / 1000)
            if wire.is_idle:
                self.send("PING", heard=lambda _: None)

    async def _connect(self) -> "_Wire":
        from redis.asyncio.connection import SSLConnection, parse_url  # noqa: PLC0415 - 0.2 s to import

        options = cast(dict[str, Any], parse_url(self._redis_url))
        loop = asyncio.get_running_loop()
        kind = options.pop("connection_class", None)
        secure: ssl.SSLContext | None = None
        if kind is SSLConnection:
            secure = SSLConnection(**options).ssl_context.get()
        wire: _Wire
        if "path" in options:
            _, wire = await loop.create_unix_connection(lambda: _Wire(self), options["path"])
        else:
            place = options.get("host", "localhost"), options.get("port", 6379)
            _, wire = await loop.create_connection(lambda: _Wire(self), *place, ssl=secure)
        self._wire = wire
        name, password = options.get("username"), options.get("password")
        if password is not None:
            await (self.ask("AUTH", name, password) if name else self.ask("AUTH", password))
        if options.get("db"):
            await self.ask("SELECT", options["db"])
        return wire


class _Wire(asyncio.Protocol):
    """One connection: what was sent and not answered yet, in order."""

    def __init__(self, link: RedisLink) -> None:
        self._link = link
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._reader = hiredis.Reader()
        self._unsent: list[bytes] = []
        self._waiting: deque[tuple[Heard, float]] = deque()
        self._watch: asyncio.TimerHandle | None = None
        self._unread_bytes = 0
        self._is_paused = False
        self._reason = "the connection was closed"
        self.ended: asyncio.Future[None] = self._loop.create_future()

    @property
    def is_idle(self) -> bool:
        """Tell whether nothing is asked that would find out whether anybody answers."""
        return not self._waiting

    @property
    def is_full(self) -> bool:
        """Tell whether so much waits that nothing more should."""
        return self._is_paused or len(self._waiting) >= limits.redis_commands_max

    def send(self, command: bytes, heard: Heard) -> None:
        """Send a command at the end of this turn."""
        if self.ended.done():
            heard(RedisAwayError(self._reason))
            return
        if not self._unsent:
            self._loop.call_soon(self._flush)
        self._unsent.append(command)
        self._waiting.append((heard, self._loop.time()))
        if self._watch is None:
            self._watch = self._loop.call_later(limits.redis_timeout_ms / 1000, self._look)

    def abort(self, reason: str = "the connection was given up") -> None:
        """End the connection at once."""
        if not self.ended.done():
            self._reason = reason
        if self._transport is not None:
            self._transport.abort()
        self.connection_lost(None)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take note of the transport."""
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Hand answers to those who asked."""
        self._link.bytes_received += len(data)
        self._unread_bytes += len(data)
        try:
            self._reader.feed(data)
            while (reply := self._reader.gets()) is not False:
                self._unread_bytes = 0
                if self._link.pushed is not None and _is_message(reply):
                    self._link.pushed(reply[2])
                else:
                    self._waiting.popleft()[0](reply)
        except (hiredis.ProtocolError, IndexError):
            # Not the language of Redis, or an answer to nothing that was asked.
            self.abort("the answer is none of Redis's")
        if self._unread_bytes > limits.redis_reply_bytes_max:
            self.abort(f"an answer has more than {limits.redis_reply_bytes_max >> 20} MiB")

    def connection_lost(self, error: Exception | None) -> None:
        """Tell everybody who still waits."""
        if self.ended.done():
            return
        if error is not None:
            self._reason = str(error) or type(error).__name__
        self.ended.set_result(None)
        if self._watch is not None:
            self._watch.cancel()
        self._unsent.clear()
        while self._waiting:
            self._waiting.popleft()[0](RedisAwayError(self._reason))

    def pause_writing(self) -> None:
        """Take nothing more for now."""
        self._is_paused = True

    def resume_writing(self) -> None:
        """Go on."""
        self._is_paused = False

    def _flush(self) -> None:
        if self._transport is not None and not self.ended.done() and self._unsent:
            data = b"".join(self._unsent)
            self._link.bytes_sent += len(data)
            self._transport.write(data)
        self._unsent.clear()

    def _look(self) -> None:
        """Close the connection where somebody has waited for too long."""
        self._watch = None
        if not self._waiting:
            return
        left = self._waiting[0][1] + limits.redis_timeout_ms / 1000 - self._loop.time()
        if left > 0:
            self._watch = self._loop.call_later(left, self._look)
        else:
            # The loop itself may have been late: what has arrived meanwhile is looked at first.
            late = self._waiting[0]
            self._watch = self._loop.call_later(0.001, self._give_up, late)

    def _give_up(self, late: tuple[Heard, float]) -> None:
        self._watch = None
        if self._waiting and self._waiting[0] is late:
            self._link.timeouts += 1
            self.abort(f"no answer within {limits.redis_timeout_ms} ms")
        else:
            self._look()


def _is_message(reply: Reply) -> bool:
    """Tell whether this came without being asked for. Source: Redis, Pub/Sub, format of pushed messages."""
    return isinstance(reply, list) and len(reply) == 3 and reply[0] == b"message"
