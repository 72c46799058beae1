"""Many requests at once over plain sockets: cheap enough that the client is not what the test measures."""

import asyncio
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

# A guard against a hang, never a measurement.
PATIENCE_SECONDS = 30

_LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]+)", re.IGNORECASE)


@dataclass(frozen=True)
class Answer:
    """An answer, of which tests look at the status, the head and the body."""

    status: int
    head: bytes
    body: bytes

    def header(self, name: str) -> str | None:
        """Return the value of a header, None where there is none."""
        for line in self.head.split(b"\r\n")[1:]:
            key, _, value = line.partition(b":")
            if key.lower() == name.encode():
                return value.strip().decode("latin-1")
        return None


@dataclass(frozen=True)
class Request:
    """A request with an API key; a body makes it a POST of a form."""

    path: str
    key: str
    body: str | None = None
    headers: dict[str, str] = field(default_factory=dict)

    def encode(self) -> bytes:
        """Return the request as it is sent."""
        lines = [f"{'GET' if self.body is None else 'POST'} {self.path} HTTP/1.1", "Host: test"]
        lines.append(f"Authorization: Bearer {self.key}")
        lines += (f"{name}: {value}" for name, value in self.headers.items())
        if self.body is not None:
            lines.append("Content-Type: application/x-www-form-urlencoded")
            lines.append(f"Content-Length: {len(self.body)}")
        return ("\r\n".join(lines) + "\r\n\r\n" + (self.body or "")).encode()


async def send(url: str, requests: Sequence[Request], *, connections: int = 1) -> list[Answer]:
    """Send the requests over so many connections, one after the other on each; return their answers."""
    waiting = iter(list(enumerate(requests)))
    answers: dict[int, Answer] = {}
    async with asyncio.timeout(PATIENCE_SECONDS):
        await asyncio.gather(*(_work(url, waiting, answers) for _ in range(min(connections, len(requests)))))
    return [answers[number] for number in range(len(requests))]


def statuses(answers: Iterable[Answer]) -> dict[int, int]:
    """Return how many answers had which status."""
    return dict(Counter(answer.status for answer in answers))


async def until(condition: Callable[[], bool]) -> None:
    """Return once the condition holds."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not condition():  # noqa: ASYNC110  what other tasks and processes do has no event
            await asyncio.sleep(0.01)


async def until_blocked(connection: Any, count: int) -> None:
    """Return once so many statements of the server wait for locks that `connection` holds."""
    # Not `pg_stat_activity`, which stays as it was for the rest of a transaction.
    query = "select count(distinct pid) from pg_locks where not granted"
    async with asyncio.timeout(PATIENCE_SECONDS):
        while await connection.fetchval(query) < count:  # noqa: ASYNC110  only the database knows
            await asyncio.sleep(0.01)


async def _work(url: str, waiting: Iterable[tuple[int, Request]], answers: dict[int, Answer]) -> None:
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    try:
        for number, request in waiting:
            writer.write(request.encode())
            answers[number] = await _read(reader)
        # What comes next does not find these connections still open.
        writer.write_eof()
        assert await reader.read() == b""
    finally:
        writer.close()


async def _read(reader: asyncio.StreamReader) -> Answer:
    head = await reader.readuntil(b"\r\n\r\n")
    length = _LENGTH.search(head)
    body = await reader.readexactly(int(length[1])) if length else b""
    return Answer(int(head.split(b" ", 2)[1]), head, body)
