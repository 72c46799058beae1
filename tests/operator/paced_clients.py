"""Clients in a process of their own that pay at a rate, each kind over connections of its own sort.

They write a history of all that they were told, as the clients of the bank do, until standard input ends.
Then the process writes what each kind saw into a file. Three kinds are plain bytes over asyncio, so that the
clients do not need more of the machine than the server; the rest are httpx.

A client does what RFC 9112 9.6 and RFC 9113 6.8 ask of it, and no more: it opens another connection after
`Connection: close` or GOAWAY, and sends a request again if it is above the last stream of a GOAWAY. All else
that keeps a request from its response is a failure. It then sends the request again under its key, so that
the history tells what became of it.
"""

import argparse
import asyncio
import collections
import contextlib
import hashlib
import itertools
import random
import ssl
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol
from urllib.parse import urlencode, urlsplit

import httpx
import msgspec
import uvloop

from tests.bank import history
from tests.bank.history import Operation
from tests.support.h2_raw import RawClient

# A guard against a hang, never a measurement.
PATIENCE_SECONDS = 60
PATH = "/v1/payment_intents"
# Longer than a server waits for a client after the end that the server has sent.
IDLE_SECONDS = 2.5


class Seen(msgspec.Struct):
    """What the clients of one kind saw."""

    clients: int = 0
    payments: int = 0
    connections: int = 0
    # Requests above the last stream of a GOAWAY.
    sent_again: int = 0
    refused: int = 0
    failed: int = 0
    times_ms: list[float] = []
    faults: list[str] = []


class Answer(msgspec.Struct):
    """A response."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Way(Protocol):
    """How a client reaches the server."""

    async def send(self, key: str, form: bytes) -> Answer:
        """Return the response. Raises: OSError, EOFError or httpx.TransportError if there is none."""
        ...

    async def reconnect(self) -> None:
        """Send the next request over another connection."""
        ...

    async def close(self) -> None:
        """Close its connection, if one is open."""
        ...


class Target(msgspec.Struct):
    """The server, as a client knows it."""

    url: str
    secret: str
    cafile: str | None
    seen: Seen

    def context(self, *protocols: str) -> ssl.SSLContext | None:
        if self.cafile is None:
            return None
        context = ssl.create_default_context(cafile=self.cafile)
        context.set_alpn_protocols(list(protocols))
        return context

    async def connect(
        self, context: ssl.SSLContext | None
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        parts = urlsplit(self.url)
        try:
            opened = await asyncio.open_connection(parts.hostname, parts.port, ssl=context)
        except (OSError, EOFError):
            self.seen.refused += 1
            raise
        self.seen.connections += 1
        return opened


class Http1:
    """HTTP/1.1: one connection for all requests, or one for each."""

    def __init__(self, target: Target, *, is_kept: bool) -> None:
        self._target = target
        self._is_kept = is_kept
        self._context = target.context("http/1.1")
        self._reader = asyncio.StreamReader()
        self._writer: asyncio.StreamWriter | None = None

    async def send(self, key: str, form: bytes) -> Answer:
        if self._writer is None or self._reader.at_eof():
            await self.close()
            self._reader, self._writer = await self._target.connect(self._context)
        fields = _fields(self._target, key) | {"Host": "localhost", "Content-Length": str(len(form))}
        head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        self._writer.write(f"POST {PATH} HTTP/1.1\r\n{head}\r\n".encode() + form)
        lines = (await self._reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:-2])}
        body = await self._reader.readexactly(int(headers["content-length"]))
        if not self._is_kept or headers.get("connection") == "close":
            await self.close()
        return Answer(int(lines[0].split()[1]), headers, body)

    async def reconnect(self) -> None:
        await self.close()

    async def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None


class Http2:
    """HTTP/2: one connection for all requests, or one for each. It reads nothing while it is idle."""

    def __init__(self, target: Target, *, is_kept: bool) -> None:
        self._target = target
        self._is_kept = is_kept
        self._context = target.context("h2")
        self._client: RawClient | None = None

    async def send(self, key: str, form: bytes) -> Answer:
        while True:
            if self._client is None:
                self._client = RawClient(*await self._target.connect(self._context))
            client = self._client
            fields = _fields(self._target, key) | {"content-length": str(len(form))}
            pseudo = [(":method", "POST"), (":scheme", "https"), (":authority", "localhost"), (":path", PATH)]
            stream = client.request(
                [*pseudo, *((name.lower(), value) for name, value in fields.items())], form
            )
            while stream not in client.ended and not any(last < stream for last, _ in client.goaways):
                if not await client.step():
                    raise EOFError(f"the end of the connection, GOAWAY {client.goaways}")
                if stream in client.resets:
                    raise EOFError(f"RST_STREAM {client.resets[stream]}")
            is_answered = stream in client.ended
            if client.goaways or not self._is_kept:
                await self.close()
            if is_answered:
                return Answer(client.statuses[stream][-1], client.headers[stream], client.bodies[stream])
            self._target.seen.sent_again += 1

    async def reconnect(self) -> None:
        await self.close()

    async def close(self) -> None:
        if self._client is not None:
            self._client.writer.close()
            self._client = None


class Httpx:
    """httpx, which keeps its connection."""

    def __init__(self, target: Target, *, is_http2: bool) -> None:
        self._target = target
        context = target.context()
        self._http = httpx.AsyncClient(
            http1=not is_http2,
            http2=is_http2,
            verify=True if context is None else context,
            trust_env=False,
            timeout=PATIENCE_SECONDS,
        )

    async def send(self, key: str, form: bytes) -> Answer:
        try:
            answer = await self._http.post(
                self._target.url + PATH, content=form, headers=_fields(self._target, key)
            )
        except httpx.ConnectError:
            self._target.seen.refused += 1
            raise
        return Answer(answer.status_code, answer.headers, answer.content)

    async def reconnect(self) -> None:
        """Do nothing: httpx knows itself when its connection has ended."""

    async def close(self) -> None:
        await self._http.aclose()


def _fields(target: Target, key: str) -> dict[str, str]:
    return {
        "Authorization": f"Bearer {target.secret}",
        "Idempotency-Key": key,
        "Content-Type": "application/x-www-form-urlencoded",
    }


class Kind(msgspec.Struct):
    """Some clients, and how many payments a second all of them make together."""

    name: str
    clients: int
    share: float
    way: Callable[[Target], Way]


# The shares of the rate add up to one. Those without a share pause between two payments.
KINDS = (
    Kind("HTTP/1.1, kept", 24, 0.55, lambda target: Http1(target, is_kept=True)),
    Kind("HTTP/1.1, new", 8, 0.10, lambda target: Http1(target, is_kept=False)),
    Kind("HTTP/2, kept", 16, 0.25, lambda target: Http2(target, is_kept=True)),
    Kind("HTTP/2, new", 6, 0.06, lambda target: Http2(target, is_kept=False)),
    Kind("httpx, HTTP/1.1", 2, 0.02, lambda target: Httpx(target, is_http2=False)),
    Kind("httpx, HTTP/2", 2, 0.02, lambda target: Httpx(target, is_http2=True)),
    Kind("HTTP/2, idle", 2, 0, lambda target: Http2(target, is_kept=True)),
    Kind("httpx, HTTP/2, idle", 2, 0, lambda target: Httpx(target, is_http2=True)),
)


class Payer:
    """One client, which pays until it is told to stop."""

    def __init__(self, number: int, way: Way, seen: Seen, file: Path) -> None:
        self._number = number
        self._way = way
        self._seen = seen
        self._file = file

    async def run(self, interval_s: float, stopping: asyncio.Event) -> None:
        """Pay at the moments of a schedule; a payment that takes longer delays the next ones."""
        # So that they do not go in step.
        due = time.monotonic() + random.random() * interval_s
        for number in itertools.count():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, due - time.monotonic())):
                    await stopping.wait()
            if stopping.is_set():
                break
            await self._pay(f"{self._number}-{number}")
            due = max(due + interval_s, time.monotonic() - 1)
        await self._way.close()

    async def _pay(self, key: str) -> None:
        amount = 1_000 + len(key)
        form = urlencode(
            {
                "amount": amount,
                "currency": "usd",
                "confirm": "true",
                "payment_method": "pm_card_visa",
                "metadata[order]": key,
            }
        ).encode()
        while True:
            invoked_ns = time.monotonic_ns()
            answer = await self._attempt(key, form)
            ended_ns = time.monotonic_ns()
            operation = Operation(
                client=self._number,
                instance=0,
                kind="pay",
                invoked_ns=invoked_ns,
                ended_ns=ended_ns,
                result="unknown" if answer is None else "ok" if answer.status == 200 else "refused",
                key=key,
                amount=amount,
                request_id="" if answer is None else _first_request(answer),
                answer="" if answer is None else f"{answer.status} {_digest(answer.body)}",
            )
            history.write(self._file, [operation])
            if answer is not None:
                self._seen.payments += 1
                self._seen.times_ms.append((ended_ns - invoked_ns) / 1e6)
                return

    async def _attempt(self, key: str, form: bytes) -> Answer | None:
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                answer = await self._way.send(key, form)
        except (OSError, EOFError, httpx.TransportError) as error:
            self._fail(key, repr(error))
            await self._way.reconnect()
            await asyncio.sleep(0.05)
            return None
        if answer.status != 200:
            self._fail(key, f"{answer.status} {answer.body.decode()}")
            if answer.status >= 429:
                await asyncio.sleep(0.05)
                return None
        return answer

    def _fail(self, key: str, what: str) -> None:
        self._seen.failed += 1
        moment = time.strftime("%H:%M:%S", time.gmtime())
        self._seen.faults.append(f"{moment} {key}: {what}"[:500])


def _first_request(answer: Answer) -> str:
    return answer.headers.get("original-request", answer.headers.get("request-id", ""))


def _digest(body: bytes) -> str:
    return hashlib.blake2b(body, digest_size=8).hexdigest()


async def run(
    url: str, *, secret: str, cafile: str | None, rate: float, first: int, file: Path
) -> dict[str, Seen]:
    """Pay until standard input ends."""
    stopping = asyncio.Event()
    seen: dict[str, Seen] = collections.defaultdict(Seen)
    async with asyncio.TaskGroup() as group:
        number = itertools.count(first)
        for kind in KINDS:
            own = seen[kind.name]
            own.clients = kind.clients
            interval_s = kind.clients / (rate * kind.share) if kind.share else IDLE_SECONDS
            for _ in range(kind.clients):
                payer = Payer(next(number), kind.way(Target(url, secret, cafile, own)), own, file)
                group.create_task(payer.run(interval_s, stopping))
        await asyncio.to_thread(sys.stdin.read)
        stopping.set()
    return seen


def main() -> None:
    """Read the arguments and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("--secret", required=True)
    parser.add_argument("--cafile")
    parser.add_argument("--rate", type=float, required=True)
    parser.add_argument("--first", type=int, required=True)
    parser.add_argument("--file", type=Path, required=True)
    parser.add_argument("--seen", type=Path, required=True)
    options = vars(parser.parse_args())
    options.pop("seen").write_bytes(msgspec.json.encode(uvloop.run(run(options.pop("url"), **options))))


if __name__ == "__main__":
    main()
