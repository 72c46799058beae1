"""A way to PostgreSQL that counts what goes by: statements, round trips, whatever the driver."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

import msgspec

_SOCKET = ".s.PGSQL.5432"
_CHUNK_BYTES = 65_536
# Source: PostgreSQL documentation 54.7: Execute of the extended protocol, Query of the simple one.
_EXECUTE, _QUERY = b"E", b"Q"


class Counts(msgspec.Struct):
    """What went by since the start. A round trip begins when a client speaks after the server did."""

    statements: int = 0
    round_trips: int = 0

    def since(self, before: "Counts") -> "Counts":
        """Return the difference."""
        return Counts(self.statements - before.statements, self.round_trips - before.round_trips)

    def copy(self) -> "Counts":
        """Return what the counts are now."""
        return Counts(self.statements, self.round_trips)


@contextmanager
def counting(database_url: str, directory: Path) -> Iterator[tuple[str, Counts]]:
    """Yield the URL of a proxy before a database on a Unix socket, and its counts."""
    host = parse_qs(urlsplit(database_url).query)["host"][0]
    directory.mkdir(exist_ok=True)
    counts = Counts()
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="counting proxy")
    thread.start()
    try:
        serving = _serve(f"{host}/{_SOCKET}", directory / _SOCKET, counts)
        server = asyncio.run_coroutine_threadsafe(serving, loop).result()
        base = database_url.partition("?")[0]
        yield f"{base}?host={quote(str(directory), safe='/')}", counts
        asyncio.run_coroutine_threadsafe(_close(server), loop).result()
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _serve(upstream: str, place: Path, counts: Counts) -> asyncio.Server:
    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server_reader, server_writer = await asyncio.open_unix_connection(upstream)
        conversation = Conversation(counts)
        try:
            await asyncio.gather(
                _pump(reader, server_writer, conversation.client_said),
                _pump(server_reader, writer, conversation.server_said),
            )
        except ConnectionError:
            # Either side may go away; the other one is told by the end of its stream.
            pass
        finally:
            writer.close()
            server_writer.close()

    return await asyncio.start_unix_server(accept, place)


async def _close(server: asyncio.Server) -> None:
    server.close()
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


async def _pump(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, said: Callable[[bytes], None]
) -> None:
    while chunk := await reader.read(_CHUNK_BYTES):
        said(chunk)
        writer.write(chunk)
        await writer.drain()
    writer.close()


class Conversation:
    """One connection. Messages are a type byte and a length, but for the first of a client."""

    def __init__(self, counts: Counts) -> None:
        self._counts = counts
        self._server_spoke = True
        self._started = False
        self._buffer = b""

    def client_said(self, chunk: bytes) -> None:
        """Count the messages that are complete by now."""
        if self._server_spoke:
            self._counts.round_trips += 1
            self._server_spoke = False
        self._buffer += chunk
        while True:
            head = 1 if self._started else 0
            if len(self._buffer) < head + 4:
                return
            length = head + int.from_bytes(self._buffer[head : head + 4], "big")
            if len(self._buffer) < length:
                return
            if self._started and self._buffer[:1] in {_EXECUTE, _QUERY}:
                self._counts.statements += 1
            self._started = True
            self._buffer = self._buffer[length:]

    def server_said(self, chunk: bytes) -> None:
        """Know that the server answered."""
        self._server_spoke = True
