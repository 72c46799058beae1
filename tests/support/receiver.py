"""A receiver of webhooks as a process of its own, which misbehaves as it is told.

    ok      200                        hang     never answers
    500     500                        half     hangs in the middle of the answer
    429     429 with Retry-After: 1    slow     answers after a while
    410     410                        reset    resets the connection instead of an answer
    302     a redirect to itself       giant    200, and a body without an end
    drip    200, a byte at a time, without an end
    tenth   500 to the first attempt for each tenth event, else 200

It writes what it got, and whether it acknowledged it, as lines of JSON. A line is there before the answer is.
"""

import argparse
import asyncio
import contextlib
import json
import socket
import struct
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.support.servers import NUMBERS, PATIENCE_SECONDS, free_port, not_forever

SLOW_SECONDS = 0.3
DRIP_SECONDS = 0.005
# All but "ok".
MANNERS = ("500", "429", "410", "302", "drip", "hang", "half", "slow", "reset", "giant")
_ANSWERS = {
    "500": b"HTTP/1.1 500 Oh\r\nContent-Length: 4\r\n\r\noops",
    "429": b"HTTP/1.1 429 Slow\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n",
    "410": b"HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n",
    "302": b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n",
    "ok": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
}


class Server:
    """The process. Manners are by the first part of a path; a path without one is fine."""

    def __init__(self, log: Path) -> None:
        self._log = log.open("a", encoding="utf-8", buffering=1)
        self._manners: dict[str, str] = {}
        # The events that were refused once, of those that are.
        self._refused: set[str] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of a connection."""
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while await self._answer(reader, writer):
                pass
        with contextlib.suppress(ConnectionError):
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        request, *lines = head.split("\r\n")[:-2]
        headers = {name.lower(): value.strip() for name, _, value in (one.partition(":") for one in lines)}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        path = request.split(" ")[1]
        if path == "/control":
            self._manners |= json.loads(body)
            writer.write(_ANSWERS["ok"])
            await writer.drain()
            return True
        manner = self._manners.get("/" + path.split("/")[1], "ok")
        if manner == "tenth":
            manner = self._tenth(headers)
        if manner == "slow":
            await asyncio.sleep(SLOW_SECONDS)
        is_ok = manner in ("ok", "slow", "giant")
        line = {"path": path, "headers": headers, "body": body.decode(), "ok": is_ok, "at": time.monotonic()}
        self._log.write(json.dumps(line) + "\n")
        return await self._send(manner, reader, writer)

    def _tenth(self, headers: dict[str, str]) -> str:
        event = headers["webhook-id"]
        if int(headers["fastpay-sequence"]) % 10 or event in self._refused:
            return "ok"
        self._refused.add(event)
        return "500"

    async def _send(self, manner: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        if manner == "hang":
            await reader.read()
            return False
        if manner == "half":
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Le")
            await writer.drain()
            await reader.read()
            return False
        if manner == "drip":
            for byte in b"HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n" + 60_000 * b"x":
                writer.write(bytes([byte]))
                await writer.drain()
                await asyncio.sleep(DRIP_SECONDS)
            return False
        if manner == "reset":
            raw = writer.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()
            return False
        if manner == "giant":
            writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            for _ in range(1_000):
                writer.write(b"10000\r\n" + 65_536 * b"x" + b"\r\n")
                await writer.drain()
            return False
        writer.write(_ANSWERS.get(manner, _ANSWERS["ok"]))
        await writer.drain()
        return True


class Receiver:
    """The process, as a test has it."""

    def __init__(self, port: int, log: Path, process: "subprocess.Popen[bytes]") -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.process = process
        self.log = log

    def behave(self, **manners: str) -> None:
        """Set the manners of paths, named without their slash."""
        body = json.dumps({f"/{path}": manner for path, manner in manners.items()}).encode()
        urllib.request.urlopen(
            urllib.request.Request(f"{self.url}/control", data=body, method="POST"), timeout=PATIENCE_SECONDS
        ).read()

    def got(self, path: str) -> list[dict[str, Any]]:
        """Return what has come at a path, in its order."""
        lines = [
            json.loads(line)
            for line in self.log.read_text(encoding="utf-8").splitlines(True)
            if line.endswith("\n")
        ]
        return [line for line in lines if line["path"] == f"/{path}"]

    def acknowledged(self, path: str) -> list[int]:
        """Return the numbers of the events that were acknowledged at a path, in the order of their coming."""
        return [int(line["headers"]["fastpay-sequence"]) for line in self.got(path) if line["ok"]]

    def wait_for(self, condition: Callable[[], bool]) -> None:
        """Return once it holds."""
        end_s = time.monotonic() + PATIENCE_SECONDS
        while not condition():
            assert time.monotonic() < end_s, "what was waited for did not come"
            time.sleep(0.02)


@contextlib.contextmanager
def running_receiver(place: Path) -> Iterator[Receiver]:
    """Run a receiver for the block."""
    port, log = free_port(), place / f"received{next(NUMBERS)}.jsonl"
    log.touch()
    command = [sys.executable, "-m", "tests.support.receiver", str(port), str(log)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            with not_forever(process):
                assert process.stdout.readline() == b"ready\n"
            yield Receiver(port, log, process)
        finally:
            process.kill()


async def _main(port: int, log: Path) -> None:
    server = await asyncio.start_server(Server(log).serve, "127.0.0.1", port, backlog=1_024)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("port", type=int)
    parser.add_argument("log", type=Path)
    options = parser.parse_args()
    asyncio.run(_main(options.port, options.log))
