"""Attacks over HTTP/2 on a running server, with real payments beside them on the same connection."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx
import pytest

from tests.support.api import open_client
from tests.support.h2_client import frame
from tests.support.h2_raw import (
    CALM,
    DATA,
    HEADERS,
    PING,
    PROTOCOL_ERROR,
    RawClient,
    padded,
    request,
)
from tests.support.h2_sorts import CONNECTION_ERRORS, MALFORMED, MALFORMED_LATER, STREAM_ERRORS
from tests.support.servers import RunningServer

PAYMENTS = 250
# A guard against a hang, never a measurement.
PATIENCE_SECONDS = 60


@asynccontextmanager
async def connection(server: RunningServer) -> AsyncIterator[RawClient]:
    parts = urlsplit(server.url)
    client = RawClient(*await asyncio.open_connection(parts.hostname, parts.port))
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            await client.ping()
            yield client
    finally:
        client.close()


class Payer:
    """Pays over a connection, in the name of a customer of its own."""

    def __init__(self, server: RunningServer) -> None:
        self._key = server.test_key
        self._url = server.url
        with self._open() as http:
            self.customer = http.post("/v1/customers", data={"name": "x"}).json()["id"]

    def _open(self) -> httpx.Client:
        return open_client(self._url, self._key)

    def pay(self, client: RawClient) -> tuple[int, bytes]:
        """Return a stream and the frames of a payment on it."""
        fields = {
            "amount": "100",
            "currency": "usd",
            "confirm": "true",
            "payment_method": "pm_card_visa",
            "return_url": "https://example.com",
            "customer": self.customer,
        }
        body = urlencode(fields).encode()
        more = [
            ("authorization", f"Bearer {self._key}"),
            ("content-type", "application/x-www-form-urlencoded"),
        ]
        stream, head = client.head(request("POST", "/v1/payment_intents", *more), end=False)
        return stream, head + frame(DATA, 1, stream, body)

    def committed(self) -> set[str]:
        """Return the payments that the server has committed."""
        found: set[str] = set()
        query: dict[str, Any] = {"customer": self.customer, "limit": 100}
        with self._open() as http:
            while True:
                page = http.get("/v1/payment_intents", params=query).json()
                found |= {payment["id"] for payment in page["data"]}
                if not page["has_more"]:
                    return found
                query["starting_after"] = page["data"][-1]["id"]


def paid(client: RawClient, streams: list[int]) -> set[str]:
    """Return the payments that were answered on these streams, each of which succeeded."""
    found = set()
    for stream in streams:
        if client.statuses.get(stream) == [200] and stream in client.ended:
            payment = json.loads(client.bodies[stream])
            assert payment["status"] == "succeeded"
            found.add(payment["id"])
    return found


def test_payments_beside_every_sort_of_malformed_request_are_all_answered(server: RunningServer) -> None:
    payer = Payer(server)
    faults = [*MALFORMED.items()]

    async def attack() -> None:
        async with connection(server) as client:
            payments: list[int] = []
            refused: list[int] = []
            while len(payments) < PAYMENTS:
                packet, waves = b"", []
                for place in range(25):
                    stream, data = payer.pay(client)
                    payments.append(stream)
                    waves.append(stream)
                    packet += data
                    stream, data = client.head(faults[(len(payments) + place) % len(faults)][1])
                    refused.append(stream)
                    packet += data
                client.send(packet)
                await client.until(*waves)
            for make in [*MALFORMED_LATER.values(), *(make for _, make in STREAM_ERRORS.values())]:
                client.send(make(client)[1])
                stream, data = payer.pay(client)
                payments.append(stream)
                client.send(data)
                await client.until(stream)
            await client.until(*refused)
            assert client.goaways == []
            assert {tuple(client.statuses[stream]) for stream in refused} == {(400,)}
            assert {client.resets[stream] for stream in refused} == {PROTOCOL_ERROR}
            answered = paid(client, payments)
            assert len(answered) == len(payments)
            assert answered == payer.committed()

    asyncio.run(attack())


@pytest.mark.parametrize("ending", [*list(CONNECTION_ERRORS)[::4], "flood", "end of input"])
def test_no_committed_payment_goes_unanswered_when_a_connection_ends(
    server: RunningServer, ending: str
) -> None:
    payer = Payer(server)

    async def attack() -> None:
        async with connection(server) as client:
            first = client.request(request("GET", "/v1/payment_intents"))
            await client.until(first)
            streams, packet = [], b""
            # Whoever has closed a half can open no window, and takes one window's worth of answers.
            for _ in range(60 if ending != "end of input" else 20):
                stream, data = payer.pay(client)
                streams.append(stream)
                packet += data
            if ending == "flood":
                packet += frame(PING, 0, 0, bytes(8)) * 5_000
            elif ending != "end of input":
                packet += CONNECTION_ERRORS[ending][1](client)
            client.send(packet)
            if ending == "end of input":
                client.end_input()
            await client.until_closed()
            last, code = client.goaways[-1]
            assert code == {"flood": CALM, "end of input": 0}.get(ending) or CONNECTION_ERRORS[ending][0]
            answered = paid(client, streams)
            assert answered == payer.committed()
            # Whatever a client may take for processed was answered.
            assert len(answered) == len([stream for stream in streams if stream <= last])
            assert answered

    asyncio.run(attack())


def test_padding_does_not_escape_the_budget_and_others_are_served(server: RunningServer) -> None:
    payer = Payer(server)

    async def flood() -> int:
        async with connection(server) as client:
            stream, head = client.head(request("POST", "/v1/payment_intents"), end=False)
            client.send(head)
            for _ in range(100):
                if client.closed:
                    break
                client.send(padded(stream) * 100)
                await asyncio.sleep(0)
            await client.until_closed()
            return client.goaways[-1][1]

    async def attack() -> None:
        async with connection(server) as honest:
            floods = [asyncio.ensure_future(flood()) for _ in range(4)]
            streams = []
            for _ in range(40):
                stream, data = payer.pay(honest)
                honest.send(data)
                await honest.until(stream)
                streams.append(stream)
            assert set(await asyncio.gather(*floods)) == {CALM}
            assert paid(honest, streams) == payer.committed()
            assert len(streams) == len(payer.committed())

    asyncio.run(attack())


def test_a_bomb_of_fields_ends_only_its_own_connection(server: RunningServer) -> None:
    async def attack() -> None:
        async with connection(server) as honest, connection(server) as hostile:
            # A hundred cookie crumbs in as many bytes, then seven hundred, which would take a while to walk.
            block = hostile.encoder.encode([*request(), ("cookie", "a=1")])
            stream = hostile.next_stream
            hostile.send(frame(HEADERS, 5, stream, block + b"\xbe" * 100))
            await hostile.until(stream)
            assert hostile.statuses[stream] == [431]
            hostile.send(frame(HEADERS, 5, stream + 2, block + b"\xbe" * 700))
            await hostile.until_closed()
            assert hostile.goaways[-1][1] == CALM
            fine = honest.request(request("GET", "/v1/nothing"))
            await honest.until(fine)
            assert honest.statuses[fine][0] in {401, 404}

    asyncio.run(attack())
