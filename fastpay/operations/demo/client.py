"""A small HTTP/1.1 client over kept-alive connections, so that the demo needs no package of its own."""

import asyncio
import ssl
import time
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import quote_plus, urlsplit

import msgspec

from fastpay import limits
from fastpay.errors import ConfigurationError
from fastpay.signing import HEADER, RequestSigner

_Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Answer(NamedTuple):
    """What came back, with the names of the headers in lower case, and how long it took."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    milliseconds: float

    def json(self) -> Any:
        """Return the body as it is in JSON: only its reader knows the shape, so it has no type here."""
        return msgspec.json.decode(self.body)


class NoAnswerError(Exception):
    """A connection that ended, or said what is not HTTP, before the answer was whole."""


class Client:
    """Sends requests to one server with one API key, each on a connection that no other uses meanwhile."""

    def __init__(self, url: str, key: str, *, signing_secret: str | None = None) -> None:
        """Take the server's base URL. Raises: ConfigurationError when it is none."""
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or parts.hostname is None:
            raise ConfigurationError(f"{url} is not the URL of a server; it looks like http://127.0.0.1:8000")
        self._url = url
        self._host, self._port = parts.hostname, parts.port or (443 if parts.scheme == "https" else 80)
        self._tls = ssl.create_default_context() if parts.scheme == "https" else None
        self._prefix = parts.path.rstrip("/")
        self._head = f"Host: {parts.netloc.rpartition('@')[2]}\r\nAuthorization: Bearer {key}\r\n"
        self._signer = None if signing_secret is None else RequestSigner(signing_secret)
        self._idle: list[_Connection] = []
        self.retries = 0

    async def get(self, path: str, **params: Any) -> Answer:
        """Ask for something; `params` are what `encode` takes."""
        return await self._send("GET", f"{path}?{encode(params)}" if params else path, b"")

    async def post(self, path: str, key: str, params: Mapping[str, Any]) -> Answer:
        """Have something done, once however often it must be sent: `key` is its idempotency key."""
        return await self._send("POST", path, encode(params).encode(), key=key)

    async def close(self) -> None:
        """Close all connections."""
        while self._idle:
            self._idle.pop()[1].close()
        # One turn of the loop, in which the transports are taken down.
        await asyncio.sleep(0)

    async def _send(self, method: str, target: str, body: bytes, *, key: str | None = None) -> Answer:
        """Send until there is an answer that counts, as the dialect's own clients do.

        Raises: ConfigurationError when the server gives none.
        """
        more = ""
        if key is not None:
            more = f"Idempotency-Key: {key}\r\nContent-Type: application/x-www-form-urlencoded\r\n"
        if self._signer is not None:
            signature = self._signer.sign(method, self._prefix + target, body, idempotency_key=key)
            more += f"{HEADER}: {signature}\r\n"
        head = f"{method} {self._prefix}{target} HTTP/1.1\r\n{self._head}{more}"
        message = f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
        for attempt in range(limits.demo_attempts_max):
            if attempt:
                self.retries += 1
                backoff_ms = min(limits.demo_backoff_ms * 2**attempt, limits.demo_backoff_max_ms)
                await asyncio.sleep(backoff_ms / 1000)
            try:
                answer = await self._exchange(message)
            except (OSError, EOFError, TimeoutError, asyncio.LimitOverrunError, NoAnswerError) as error:
                reason = str(error) or type(error).__name__
                continue
            if answer.headers.get("stripe-should-retry") != "true":
                return answer
            reason = f"it says {answer.status} and to try again"
        raise ConfigurationError(f"the server at {self._url} gives no answer: {reason}")

    async def _exchange(self, message: bytes) -> Answer:
        """Send one message on a connection and read what answers it."""
        started = time.monotonic()
        async with asyncio.timeout(limits.demo_answer_timeout_ms / 1000):
            connection = self._idle.pop() if self._idle else await self._connect()
            reader, writer = connection
            try:
                writer.write(message)
                status, headers = _parse_head(await reader.readuntil(b"\r\n\r\n"))
                body = await _read_body(reader, headers)
            except BaseException:
                # It may be in the middle of an answer: of no use for another one.
                writer.close()
                raise
        if headers.get("connection", "").lower() == "close":
            writer.close()
        else:
            self._idle.append(connection)
        return Answer(status, headers, body, (time.monotonic() - started) * 1000)

    async def _connect(self) -> _Connection:
        return await asyncio.open_connection(
            self._host, self._port, ssl=self._tls, limit=limits.demo_head_bytes_max
        )


def encode(params: Mapping[str, Any]) -> str:
    """Return a form body, or a query: mappings become `name[key]`, sequences `name[]`."""
    pairs: list[str] = []

    def add(name: str, value: Any) -> None:
        if isinstance(value, Mapping):
            for key, inner in value.items():
                add(f"{name}[{key}]", inner)
        elif isinstance(value, tuple | list):
            for inner in value:
                add(f"{name}[]", inner)
        else:
            text = str(value).lower() if isinstance(value, bool) else str(value)
            pairs.append(f"{quote_plus(name, safe='[]')}={quote_plus(text)}")

    for name, value in params.items():
        add(name, value)
    return "&".join(pairs)


def _parse_head(head: bytes) -> tuple[int, dict[str, str]]:
    first, *lines = head.decode("latin-1").split("\r\n")[:-2]
    version, _, rest = first.partition(" ")
    if version not in {"HTTP/1.1", "HTTP/1.0"} or not rest[:3].isdecimal():
        raise NoAnswerError("the server does not speak HTTP/1.1")
    headers = {}
    for line in lines:
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    return int(rest[:3]), headers


async def _read_body(reader: asyncio.StreamReader, headers: Mapping[str, str]) -> bytes:
    """Read the body of an answer. A proxy in between may have cut it into chunks. Source: RFC 9112 6."""
    if headers.get("transfer-encoding", "").lower() != "chunked":
        return await reader.readexactly(_bounded(headers.get("content-length", ""), base=10))
    body = bytearray()
    while True:
        size = (await reader.readuntil(b"\r\n")).decode("latin-1")
        chunk = await reader.readexactly(_bounded(size.partition(";")[0].strip(), base=16, read=len(body)))
        body += chunk
        await reader.readuntil(b"\r\n")
        if not chunk:
            return bytes(body)


def _bounded(text: str, *, base: int, read: int = 0) -> int:
    try:
        size = int(text, base)
    except ValueError:
        raise NoAnswerError("the response has no length") from None
    if size < 0 or read + size > limits.demo_answer_bytes_max:
        raise NoAnswerError("the response is too long")
    return size
