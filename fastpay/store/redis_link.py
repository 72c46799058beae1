"""One pipelined connection to Redis: all commands of a loop turn are sent in one write.

redis-py uses a connection for one command at a time, creates objects and tasks for each, and waits for the
reply before it sends the next command. Here commands are pipelined, and replies come in the same order.

A command that waits longer than `redis_timeout_ms` closes the connection for all commands. That is a circuit
breaker, and it makes sure that a late reply cannot be taken for that of another command. Then `is_open` is
False and nothing is sent until a new connection, which is opened in the background, has answered. An idle
connection gets a PING from time to time, so that a dead one is found.
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

# A reply as hiredis parses it: bytes, integers, None, errors, and lists of these.
Reply = Any
Heard = Callable[[Reply], None]
Word = bytes | str | int


class RedisAwayError(Exception):
    """There is no connection, or it ended before the reply came. The message is the reason."""


class RedisLink:
    """Sends commands and passes replies to their callers, or a `RedisAwayError` if there is no reply.

    `greet` is called on each new connection before others can use it. An exception in it closes the
    connection. `pushed` gets the messages of channels that `greet` subscribed to. `part` is told whether
    Redis can be reached.
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
        # How many connections ended or could not be opened.
        self.failures = 0
        self.timeouts = 0
        self.bytes_sent = 0
        self.bytes_received = 0

    @property
    def is_open(self) -> bool:
        """Tell whether commands can be sent now."""
        return self._is_greeted and self._wire is not None and not self._wire.is_full

    def start(self) -> None:
        """Connect in the background, and reconnect after a loss."""
        self._task = asyncio.create_task(self._keep_connected(), name="redis")

    async def close(self) -> None:
        """Close the connection."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    def send(self, *words: Word, heard: Heard) -> None:
        """Send a command with all others of this loop turn. `heard` is called with the reply or an error."""
        if self._wire is None:
            heard(RedisAwayError())
        else:
            # The type stub declares a tuple of one item.
            self._wire.send(hiredis.pack_command(words), heard)  # type: ignore[arg-type]

    async def ask(self, *words: Word) -> Reply:
        """Send a command and return its reply. Raises: RedisAwayError, hiredis.ReplyError."""
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
                # `greet` could not reach the database; Redis itself is fine.
                pass
            except Exception as error:  # noqa: BLE001  whatever it is, reads go on without Redis
                # A single failure may be a short delay.
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
        """Return when the connection has ended. Send a PING from time to time if it is idle."""
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
            address = options.get("host", "localhost"), options.get("port", 6379)
            _, wire = await loop.create_connection(lambda: _Wire(self), *address, ssl=secure)
        self._wire = wire
        name, password = options.get("username"), options.get("password")
        if password is not None:
            await (self.ask("AUTH", name, password) if name else self.ask("AUTH", password))
        if options.get("db"):
            await self.ask("SELECT", options["db"])
        return wire


class RedisClient:
    """Has a connection of its own. `pushed` gets the messages of channels that `_greet` subscribes to.

    `part` is told whether Redis can be reached.
    """

    def __init__(self, redis_url: str, *, part: Part | None = None, pushed: Heard | None = None) -> None:
        self._link = RedisLink(redis_url, greet=self._greet, pushed=pushed, part=part)

    @property
    def is_open(self) -> bool:
        """Tell whether Redis can be asked now."""
        return self._link.is_open

    @property
    def failures(self) -> int:
        """How many connections ended, or could not be made."""
        return self._link.failures

    def start(self) -> None:
        """Begin to connect."""
        self._link.start()

    async def close(self) -> None:
        """Close the connection. What was not sent is lost."""
        await self._link.close()

    async def _greet(self) -> None:
        """Prepare a new connection before it is used."""
        await self._link.ask("PING")


class _Wire(asyncio.Protocol):
    """One connection, with the commands that wait for a reply, in order."""

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
        """Tell whether no command waits for a reply."""
        return not self._waiting

    @property
    def is_full(self) -> bool:
        """Tell whether too much waits for another command."""
        return self._is_paused or len(self._waiting) >= limits.redis_commands_max

    def send(self, command: bytes, heard: Heard) -> None:
        """Send a command at the end of this loop turn."""
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
        """Abort the connection."""
        if not self.ended.done():
            self._reason = reason
        if self._transport is not None:
            self._transport.abort()
        self.connection_lost(None)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Pass replies to their callers."""
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
            # Not the protocol of Redis, or a reply without a command.
            self.abort("the reply is not valid")
        if self._unread_bytes > limits.redis_reply_bytes_max:
            self.abort(f"a reply has more than {limits.redis_reply_bytes_max >> 20} MiB")

    def connection_lost(self, error: Exception | None) -> None:
        """Pass an error to everyone who still waits."""
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
        """Stop sending."""
        self._is_paused = True

    def resume_writing(self) -> None:
        """Continue sending."""
        self._is_paused = False

    def _flush(self) -> None:
        if self._transport is not None and not self.ended.done() and self._unsent:
            data = b"".join(self._unsent)
            self._link.bytes_sent += len(data)
            self._transport.write(data)
        self._unsent.clear()

    def _look(self) -> None:
        """Abort the connection if a command has waited for too long."""
        self._watch = None
        if not self._waiting:
            return
        left = self._waiting[0][1] + limits.redis_timeout_ms / 1000 - self._loop.time()
        if left > 0:
            self._watch = self._loop.call_later(left, self._look)
        else:
            # The loop itself may have been blocked: read what has arrived meanwhile first.
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
    """Tell whether this is a pushed message. Source: Redis, Pub/Sub, format of pushed messages."""
    return isinstance(reply, list) and len(reply) == 3 and reply[0] == b"message"
