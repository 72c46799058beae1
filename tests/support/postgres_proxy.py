"""A way to PostgreSQL that reads the protocol as it passes, and breaks at the very message it was told to.

Source: PostgreSQL's documentation, Frontend/Backend Protocol, message formats.
"""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Iterator
from typing import Literal

from fastpay.store.statements import BATCH_MARK

# before: the message never arrives. half: its first half does. after: it arrives, and the connection ends at
# once. withheld: the database answers it in full, to nobody. torn: half of the answer comes back. fatal: a
# farewell takes the place of the answer. late: the client is cut off before the message arrives, and it does
# arrive. frozen: nothing comes back, and the connection stays.
Manner = Literal["before", "half", "after", "withheld", "torn", "fatal", "late", "frozen"]
CUTS: tuple[Manner, ...] = ("before", "half", "after", "withheld", "torn", "fatal")

_NAMES = {
    b"B": "Bind", b"C": "Close", b"D": "Describe", b"E": "Execute", b"H": "Flush", b"P": "Parse",
    b"Q": "Query", b"S": "Sync", b"X": "Terminate", b"p": "Password",
}  # fmt: skip
_FIELDS = b"SFATAL\0VFATAL\0C57P01\0Mterminating connection due to administrator command\0\0"
FATAL = b"E" + (len(_FIELDS) + 4).to_bytes(4, "big") + _FIELDS
_LATE_SECONDS = 0.1
# How long a database may think about a message before it is taken to have no answer of its own.
_SILENCE_SECONDS = 0.05


class Steps:
    """Cuts a stream of the protocol into whole messages, whatever the pieces it comes in."""

    def __init__(self, *, has_startup: bool) -> None:
        self._buffer = b""
        self._starting = has_startup

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield each message that is complete by now."""
        self._buffer += data
        while True:
            head = 0 if self._starting else 1
            if len(self._buffer) < head + 4:
                return
            size = head + int.from_bytes(self._buffer[head : head + 4], "big")
            if len(self._buffer) < size:
                return
            message, self._buffer = self._buffer[:size], self._buffer[size:]
            self._starting = False
            yield message


class Names:
    """Names the messages of one frontend, as they come.

    A name is the message's kind, and the first word of the statement where it carries one. What commits is a
    `commit`: also the end (Sync) of the statement of a batch that is in no block of a transaction.
    """

    def __init__(self) -> None:
        self._batches: set[bytes] = set()
        self._is_in_block = False
        self._is_batch = False

    def name(self, message: bytes) -> str:
        """Name the next message."""
        kind = _NAMES.get(message[:1], "Startup")
        if kind == "Query":
            word = message[5:].split(None, 1)[0].strip(b";\0").decode()
            if word in ("begin", "commit", "rollback"):
                self._is_in_block = word == "begin"
            return word
        first, _, others = message[5:].partition(b"\0")
        second = others.partition(b"\0")[0]
        if kind == "Parse":
            if second.startswith(BATCH_MARK.encode()):
                self._batches.add(first)
            found = re.search(rb"^(?!--)\s*(\w+(\s+into\s+\w+|\s+\w+)?)", second, re.MULTILINE)
            return f"Parse {found[1].decode() if found else ''}"
        if kind == "Bind":
            self._is_batch = second in self._batches and not self._is_in_block
        if kind == "Sync" and self._is_batch:
            self._is_batch = False
            return "commit"
        return kind


class Proxy:
    """Listens on TCP and passes messages on to the Unix socket of the database, until a message is struck.

    Once armed, the messages of all connections are counted; `arm` says which one breaks, and how. `log` holds
    the names of all messages since. With `refuses_once_struck` nobody gets through after that. `chunk` and
    `delay_s` make what comes from the database trickle. While it is frozen nothing passes, and whoever comes
    is let in and never answered; with `freezes_once_struck` that begins with the message that is struck.
    """

    def __init__(self, database_url: str) -> None:
        found = re.fullmatch(r"postgresql://(\w+)@/(\w+)\?host=(.+?)(?:&port=(\d+))?", database_url)
        assert found is not None, database_url
        self._user, self._database = found[1], found[2]
        self._target = f"{found[3]}/.s.PGSQL.{found[4] or 5432}"
        self._server: asyncio.Server | None = None
        self._links: set[asyncio.Task[None]] = set()
        self.log: list[str] = []
        self.struck = 0
        self.refuses_once_struck = False
        self.freezes_once_struck = False
        self._flows = asyncio.Event()
        self._flows.set()
        self.chunk: int | None = None
        self.delay_s = 0.0
        self._place: int | None = None
        self._name: str | None = None
        self._manner: Manner = "before"

    @property
    def url(self) -> str:
        """The URL of the database through here."""
        host, port = self.address
        return f"postgresql://{self._user}@{host}:{port}/{self._database}?sslmode=disable"

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens."""
        assert self._server is not None
        host, port = self._server.sockets[0].getsockname()
        return host, port

    def arm(self, manner: Manner = "before", *, place: int | None = None, name: str | None = None) -> None:
        """Start to count anew. Break the message at this place (from 0), or the next one of this name."""
        self.log = []
        self.struck = 0
        self._place, self._name, self._manner = place, name, manner

    def disarm(self) -> None:
        """Let everything pass."""
        self._place = self._name = None

    @property
    def is_frozen(self) -> bool:
        """Tell whether nothing passes."""
        return not self._flows.is_set()

    def freeze(self) -> None:
        """Let nothing pass."""
        self._flows.clear()

    def thaw(self) -> None:
        """Let everything pass that waits, and all that comes."""
        self._flows.set()

    async def __aenter__(self) -> "Proxy":
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        self._server = None
        await self.cut_all()

    async def cut_all(self) -> None:
        """End all connections at once."""
        links = list(self._links)
        for task in links:
            task.cancel()
        await asyncio.gather(*links, return_exceptions=True)

    def _accept(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        if self._server is None:
            # It was on its way in when the proxy ended.
            to_client.transport.abort()
            return
        task = asyncio.create_task(self._serve(client, to_client))
        self._links.add(task)
        task.add_done_callback(self._links.discard)
        # Not left to the task: one that is cancelled before its first turn ends without any.
        task.add_done_callback(lambda _: to_client.transport.abort())

    async def _serve(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        to_database: asyncio.StreamWriter | None = None
        with contextlib.suppress(OSError):
            try:
                if self.refuses_once_struck and self.struck:
                    return
                await self._flows.wait()
                database, to_database = await asyncio.open_unix_connection(self._target)
                await self._pass(client, to_client, database, to_database)
            finally:
                if to_database is not None:
                    to_database.transport.abort()

    async def _pass(
        self,
        client: asyncio.StreamReader,
        to_client: asyncio.StreamWriter,
        database: asyncio.StreamReader,
        to_database: asyncio.StreamWriter,
    ) -> None:
        """Pass messages on until either side has gone, or one is struck."""
        answers = asyncio.create_task(self._answer(database, to_client))
        requests = asyncio.create_task(self._request(client, to_database))
        try:
            await asyncio.wait((answers, requests), return_when=asyncio.FIRST_COMPLETED)
            if not requests.done() or (message := requests.result()) is None:
                return
            if self._manner in ("withheld", "torn", "fatal", "frozen"):
                # From here on nothing reaches the client but what is sent below.
                answers.cancel()
                await asyncio.gather(answers, return_exceptions=True)
            if self._manner == "late":
                to_client.transport.abort()
                await asyncio.sleep(_LATE_SECONDS)
            if self._manner != "before":
                to_database.write(message[: len(message) // 2] if self._manner == "half" else message)
                await to_database.drain()
            if answers.cancelled():
                await self._end(await _whole_answer(database), client, to_client)
        finally:
            for task in (answers, requests):
                task.cancel()
            await asyncio.gather(answers, requests, return_exceptions=True)

    async def _end(
        self, answer: bytes, client: asyncio.StreamReader, to_client: asyncio.StreamWriter
    ) -> None:
        """Leave the client with what it is to get in the place of the database's answer."""
        if self._manner == "frozen":
            await client.read()
        elif self._manner in ("torn", "fatal"):
            to_client.write(FATAL if self._manner == "fatal" else answer[: len(answer) // 2])
            await to_client.drain()
            to_client.write_eof()

    async def _request(self, client: asyncio.StreamReader, to_database: asyncio.StreamWriter) -> bytes | None:
        """Pass on what the client says; return the message to strike, None where the client has gone."""
        names = Names()
        async for message in _messages(client):
            if self._strikes(names.name(message)):
                self.struck += 1
                self.disarm()
                if not self.freezes_once_struck:
                    return message
                if self._manner == "after":
                    to_database.write(message)
                    await to_database.drain()
                self.freeze()
                await self._flows.wait()
                if self._manner == "after":
                    continue
            await self._flows.wait()
            to_database.write(message)
        return None

    def _strikes(self, name: str) -> bool:
        self.log.append(name)
        return self._place == len(self.log) - 1 or self._name == name

    async def _answer(self, database: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        while data := await database.read(65_536):
            await self._flows.wait()
            size = self.chunk or len(data)
            for start in range(0, len(data), size):
                to_client.write(data[start : start + size])
                if self.delay_s:
                    await asyncio.sleep(self.delay_s)
        await to_client.drain()


async def _whole_answer(database: asyncio.StreamReader) -> bytes:
    """Return what the database says until it is ready for more, or for as long as it says anything."""
    answer = b""
    steps = Steps(has_startup=False)
    with contextlib.suppress(TimeoutError):
        while True:
            async with asyncio.timeout(_SILENCE_SECONDS):
                data = await database.read(65_536)
            answer += data
            if not data or any(message[:1] == b"Z" for message in steps.feed(data)):
                break
    return answer


async def _messages(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    steps = Steps(has_startup=True)
    while data := await reader.read(65_536):
        for message in steps.feed(data):
            yield message
