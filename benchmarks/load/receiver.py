"""A receiver of webhooks as a process of its own: it acknowledges deliveries, and notes when they came.

At /some it refuses the first attempt of one event in ten.
"""

import asyncio
import json
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from subprocess import PIPE, Popen
from typing import Any, ClassVar

import uvloop

from benchmarks.load.serving import ROOT, free_port

_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
_REFUSAL = b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n"


@contextmanager
def receiving() -> Iterator[int]:
    """Run a receiver for the block, and return its port."""
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.load.receiver", str(port)]
    with Popen(command, stdout=PIPE, cwd=ROOT) as process:
        try:
            assert process.stdout is not None
            process.stdout.readline()
            yield port
        finally:
            process.kill()


def arrivals(port: int, after: int = 0) -> dict[int, float]:
    """Return when each event above a number came first, in seconds since 1970."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/report/{after}", timeout=60) as response:
        return {int(number): at_s for number, at_s in json.loads(response.read()).items()}


def count(port: int) -> int:
    """Return how many deliveries have come."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/count", timeout=60) as response:
        return int(response.read())


class _Receiver(asyncio.Protocol):
    """One connection."""

    arrived: ClassVar[dict[int, float]] = {}
    deliveries: ClassVar[int] = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport: Any = transport
        self._buffer = b""

    def data_received(self, data: bytes) -> None:
        """Answer what is complete."""
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = self._buffer[:end].lower()
            size = int(_field(head, b"content-length") or 0)
            if len(self._buffer) < end + 4 + size:
                return
            self._buffer = self._buffer[end + 4 + size :]
            if head.startswith(b"get /"):
                self._report(head.split(b" ")[1].decode())
                continue
            _Receiver.deliveries += 1
            number = int(_field(head, b"fastpay-sequence") or 0)
            self.arrived.setdefault(number, time.time())
            fails = head.startswith(b"post /some ") and number % 10 == 0
            is_refused = fails and _field(head, b"fastpay-attempt") == b"1"
            self._transport.write(_REFUSAL if is_refused else _ANSWER)

    def _report(self, path: str) -> None:
        after = path.removeprefix("/report/")
        found: Any = self.deliveries
        if after != path:
            found = {number: at_s for number, at_s in self.arrived.items() if number > int(after)}
        body = json.dumps(found).encode()
        self._transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)


def _field(head: bytes, name: bytes) -> bytes:
    return head.partition(b"\r\n" + name + b":")[2].partition(b"\r\n")[0].strip()


async def _receive(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(_Receiver, "127.0.0.1", port, backlog=1024)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(_receive(int(sys.argv[1])))
