"""The way of all frames between the instances of one database, which can be cut and held up."""

import asyncio
import contextlib
import secrets
import struct
from collections.abc import AsyncIterator

from fastpay.engine.homes import messages
from tests.support.servers import execute

_LENGTH = struct.Struct(">I")
# Whoever becomes a member is reached by this way. Instances only renew their row after that.
_DETOUR = """
create function detour() returns trigger language plpgsql as $$
begin
    new.socket := '{name}';
    return new;
end $$;
create trigger detour before insert on member for each row execute function detour();
"""


class MemberProxy:
    """Listens where all members are said to be, and passes each connection on to its member."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._writers: set[asyncio.StreamWriter] = set()
        self._passes = asyncio.Event()
        self._passes.set()
        self._tasks: set[asyncio.Task[None]] = set()
        # Frames of the instances that asked, and connections that were cut.
        self.frames = 0
        self.cuts = 0

    def cut(self) -> None:
        """End all connections. What an end has not got by now it never gets."""
        self.cuts += len(self._writers) // 2
        for writer in self._writers:
            writer.transport.abort()

    def hold(self) -> None:
        """Let nothing through, on connections that stay."""
        self._passes.clear()

    def release(self) -> None:
        """Let everything through again."""
        self._passes.set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass one connection on."""
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        writers = [writer]
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
                self._writers.add(writer)
                first = await self._read(reader)
                hello = messages.decode(first[_LENGTH.size :])
                assert isinstance(hello, messages.Hello)
                back, there = await asyncio.open_unix_connection(f"\0fastpay-{hello.to}")
                writers.append(there)
                self._writers.add(there)
                there.write(first)
                async with asyncio.TaskGroup() as group:
                    group.create_task(self._pass_on(reader, there))
                    group.create_task(self._pass_on(back, writer))
        finally:
            self._tasks.discard(task)
            for one in writers:
                self._writers.discard(one)
                one.transport.abort()
                with contextlib.suppress(OSError):
                    await one.wait_closed()

    async def close(self) -> None:
        """Pass nothing on any more."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _read(self, reader: asyncio.StreamReader) -> bytes:
        head = await reader.readexactly(_LENGTH.size)
        self.frames += 1
        return head + await reader.readexactly(*_LENGTH.unpack(head))

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                frame = await self._read(reader)
                await self._passes.wait()
                writer.write(frame)
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            writer.transport.abort()


@contextlib.asynccontextmanager
async def member_proxy(database_url: str) -> AsyncIterator[MemberProxy]:
    """Have all instances that start on this database in the block reach each other by a proxy."""
    proxy = MemberProxy(f"fastpay-detour-{secrets.token_hex(8)}")
    await asyncio.to_thread(execute, database_url, _DETOUR.format(name=proxy._name))
    server = await asyncio.start_unix_server(proxy.serve, f"\0{proxy._name}")
    try:
        yield proxy
    finally:
        server.close()
        await proxy.close()
