"""Receivers of webhooks that answer with given bytes, and deliveries to them."""

import asyncio
import base64
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Sequence
from typing import Any

from fastpay.clock import SystemClock
from fastpay.engine.relay.ports import Delivery, DeliveryOutcome, Target
from fastpay.outbound.webhooks import WebhookDeliverer, WebhookSettings

SECRET = "whsec_" + base64.b64encode(b"s" * 32).decode()
OLD = "whsec_" + base64.b64encode(b"o" * 32).decode()
BODY = b'{"id":"evt_1","object":"event"}'
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
LOCAL = WebhookSettings(allowed_networks=("127.0.0.0/8",))


class Receiver:
    """Answers every request with the same bytes, and keeps the requests and how many connections came."""

    def __init__(self, answer: bytes, *, closes: bool) -> None:
        self.answer = answer
        self.closes = closes
        self.requests: list[bytes] = []
        self.connections = 0
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        with contextlib.suppress(asyncio.IncompleteReadError, OSError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
                self.requests.append(head + await reader.readexactly(int(length or 0)))
                writer.write(self.answer)
                await writer.drain()
                if self.closes:
                    break
        writer.close()

    def headers(self, number: int = -1) -> dict[str, str]:
        head = self.requests[number].partition(b"\r\n\r\n")[0].decode()
        lines = [line.partition(": ") for line in head.split("\r\n")[1:]]
        assert len({name.lower() for name, _, _ in lines}) == len(lines)
        return {name.lower(): value for name, _, value in lines}


@contextlib.asynccontextmanager
async def receiving(
    answer: bytes = OK, *, closes: bool = False, tls: ssl.SSLContext | None = None
) -> AsyncIterator[Receiver]:
    receiver = Receiver(answer, closes=closes)
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0, ssl=tls)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        server.close()


def target(url: str, **fields: Any) -> Target:
    return Target(**{"endpoint_id": "we_1", "livemode": False, "url": url, "secrets": (SECRET,), **fields})


def delivery(to: Target, attempt: int = 1) -> Delivery:
    return Delivery(to, "evt_1", sequence=7, previous_sequence=5, attempt=attempt, body=BODY)


async def deliver(
    to: Target | str, settings: WebhookSettings = LOCAL, *, times: int = 1, **options: Any
) -> DeliveryOutcome:
    deliverer = WebhookDeliverer(settings, clock=SystemClock(), **options)
    to = target(to) if isinstance(to, str) else to
    try:
        for number in range(1, times + 1):
            outcome = await deliverer.deliver(delivery(to, number))
    finally:
        await deliverer.close()
    assert (outcome.status is None) != (outcome.failure is None)
    return outcome


def resolving(*addresses: str) -> Any:
    """Return a resolver that returns these addresses one after another, the last one for ever."""
    left = list(addresses)

    async def resolve(host: str, port: int) -> Sequence[Any]:
        found = left.pop(0) if len(left) > 1 else left[0]
        return [
            (
                socket.AF_INET6 if ":" in one else socket.AF_INET,
                socket.SOCK_STREAM,
                6,
                "",
                (one, port, 0, 0) if ":" in one else (one, port),
            )
            for one in found.split()
        ]

    return resolve
