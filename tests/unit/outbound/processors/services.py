"""A service that answers what a test says, and processors that call it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import msgspec

from fastpay.engine.processors.configuration_ports import Secrets
from fastpay.engine.processors.ports import CardData, Order
from fastpay.outbound.http import HttpClient
from fastpay.outbound.processors.calls import Calls
from tests.unit.engine.hand_clock import HandClock

NUMBER, CVC = "4242424242424242", "987"
CARD = CardData(number=NUMBER, exp_month=12, exp_year=2040, cvc=CVC)
TIMEOUT_MS = 5_000


class Asked(msgspec.Struct, frozen=True):
    """A request as it came."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.body.decode(), keep_blank_values=True))


# Returns a status and a body, or the bytes of a whole answer; None ends the connection.
Reply = tuple[int, Any] | bytes | None
Answer = Callable[[Asked], Reply]


class Service:
    """Answers requests over kept connections, and keeps them."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.asked: list[Asked] = []
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, OSError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                first, *lines = head.rstrip().split("\r\n")
                headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                method, target, _ = first.split(" ")
                parts = urlsplit(target)
                asked = Asked(method, parts.path, dict(parse_qsl(parts.query)), headers, body)
                self.asked.append(asked)
                reply = self.answer(asked)
                if reply is None:
                    break
                writer.write(reply if isinstance(reply, bytes) else render(*reply))
                await writer.drain()
        writer.close()


def render(status: int, body: Any) -> bytes:
    """Return an answer in bytes."""
    content = body if isinstance(body, bytes) else msgspec.json.encode(body)
    return b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n%b" % (status, len(content), content)


@contextlib.asynccontextmanager
async def serving(answer: Answer) -> AsyncIterator[tuple[Service, Calls, HandClock]]:
    """Run a service for the block, and yield what calls it."""
    service, clock = Service(answer), HandClock()
    server = await asyncio.start_server(service.serve, "127.0.0.1", 0)
    service.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    client = HttpClient()
    try:
        yield service, Calls(client, service.url + "/base/", clock=clock), clock
    finally:
        await client.close()
        server.close()


async def keep_connection(calls: Calls) -> None:
    """Keep a connection to the service, as after an answer. Raises: OSError."""
    client, url = calls._client, urlsplit(calls._url)
    pool = (await client._meet(f"{url.scheme}://{url.netloc}")).pool
    connection = await pool.connect(TIMEOUT_MS / 1000)
    connection.reader.keeps = connection.reader.is_over = True
    pool.give_back(connection, is_over=True)


def authorization(**fields: Any) -> Order:
    values: dict[str, Any] = {
        "reference": "att_1",
        "amount": 1_999,
        "currency": "usd",
        "card": CARD,
        **fields,
    }
    return Order(operation="authorize", **values)


def follow_up(operation: Any, **fields: Any) -> Order:
    values: dict[str, Any] = {"authorization": "att_1", "processor_id": "pi_1", "card": None, **fields}
    return msgspec.structs.replace(authorization(reference="att_2"), operation=operation, **values)


SECRETS = Secrets(secret="sk_live_secret", webhook_secret="whsec_secret")


def payment(**fields: Any) -> dict[str, Any]:
    return {
        "id": "pi_1",
        "object": "payment_intent",
        "amount": 1_999,
        "amount_received": 1_999,
        "amount_capturable": 0,
        "currency": "usd",
        "status": "succeeded",
        "metadata": {"fastpay_reference": "att_1"},
        **fields,
    }


def refund(**fields: Any) -> dict[str, Any]:
    metadata = {"fastpay_reference": "att_2"}
    values = {"amount": 5, "currency": "usd", "status": "succeeded", "metadata": metadata, **fields}
    return {"id": "re_1", "object": "refund", **values}


def error(**fields: Any) -> dict[str, Any]:
    return {"error": {"type": "invalid_request_error", "message": "No.", **fields}}


def page(*objects: Any, has_more: bool = False) -> dict[str, Any]:
    return {"object": "list", "data": list(objects), "has_more": has_more}
