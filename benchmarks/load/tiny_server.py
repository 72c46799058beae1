"""A small server in a process of its own, for what fastpay calls: it must cost little beside fastpay."""

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from subprocess import PIPE, Popen
from typing import Any

import uvloop

from benchmarks.load.serving import ROOT, free_port


class Requests(asyncio.Protocol):
    """One connection. Requests have a body with a length, or none."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self.transport: Any = transport
        self._buffer = b""

    def data_received(self, data: bytes) -> None:
        """Answer what is complete."""
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = self._buffer[:end].lower()
            size = int(field(head, b"content-length") or 0)
            if len(self._buffer) < end + 4 + size:
                return
            body, self._buffer = self._buffer[end + 4 :][:size], self._buffer[end + 4 + size :]
            self.answer(head, body)

    def answer(self, head: bytes, body: bytes) -> None:
        """Answer one request, now or later. The head is in lower case."""
        raise NotImplementedError


def field(head: bytes, name: bytes) -> bytes:
    """Return a field of a head in lower case, empty if it is not there."""
    return head.partition(b"\r\n" + name + b":")[2].partition(b"\r\n")[0].strip()


@contextmanager
def running(module: str, *arguments: str) -> Iterator[int]:
    """Run a module that calls `serve` for the block, with its port and the arguments; yield the port."""
    port = free_port()
    command = [sys.executable, "-m", module, str(port), *arguments]
    with Popen(command, stdout=PIPE, cwd=ROOT) as process:
        try:
            assert process.stdout is not None
            process.stdout.readline()
            yield port
        finally:
            process.kill()


def serve(protocol: type[Requests], port: int) -> None:
    """Serve until this process is killed."""

    async def listen() -> None:
        server = await asyncio.get_running_loop().create_server(protocol, "127.0.0.1", port, backlog=1024)
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        await server.serve_forever()

    uvloop.run(listen())
