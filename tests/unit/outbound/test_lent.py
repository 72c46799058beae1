"""fastpay/outbound/http.py: requests on a connection that is lent, which no coroutine waits for."""

import asyncio
from typing import Any

import pytest

from fastpay import limits
from fastpay.outbound.http import Answer, HttpClient, Lent, NoAnswerError, NotSentError
from tests.unit.outbound.http1.wires import CUT, EMPTY, GOOD, REFUSED
from tests.unit.outbound.receivers import receiving

KEPT = {name: (wire, body, keeps) for name, (wire, method, body, keeps) in GOOD.items() if method == "GET"}


class Asking:
    """A client, and what its requests end with."""

    def __init__(self, url: str, **options: Any) -> None:
        self.client = HttpClient(**options)
        self.url = f"{url}/a"
        self.ended: list[Answer | NoAnswerError] = []
        self._over = asyncio.Event()

    async def meet(self) -> None:
        """Make a connection that is kept."""
        assert self.client.lend(self.url) is None
        await self.client.send("POST", self.url, headers={})

    def send(self, timeout_ms: int = 5_000) -> Lent | None:
        """Send a request on a connection that is kept, if there is one."""
        lent = self.client.lend(self.url)
        if lent is not None:
            lent.send("POST", self._done, headers={}, body=b"b", timeout_ms=timeout_ms)
        return lent

    async def ask(self, timeout_ms: int = 5_000) -> Answer | NoAnswerError:
        """Send a request, and return what it ends with."""
        assert self.send(timeout_ms) is not None
        await self._over.wait()
        await asyncio.sleep(0)
        (ended,) = self.ended
        return ended

    def _done(self, ended: Answer | NoAnswerError) -> None:
        self.ended.append(ended)
        self._over.set()


@pytest.mark.parametrize(("wire", "body", "keeps"), KEPT.values(), ids=KEPT)
async def test_an_answer_is_read_to_its_end_and_its_connection_kept_if_it_may_be(
    wire: bytes, body: bytes, keeps: bool
) -> None:
    async with receiving(EMPTY) as receiver:
        asking = Asking(receiver.url)
        await asking.meet()
        receiver.answer = wire
        answer = await asking.ask()
        assert isinstance(answer, Answer)
        assert answer.body == body
        assert (asking.client.lend(asking.url) is not None) == keeps
        await asking.client.close()
    assert receiver.connections == 1


@pytest.mark.parametrize("wire", [*REFUSED.values(), *CUT.values()], ids=[*REFUSED, *CUT])
async def test_what_is_no_answer_leaves_a_request_in_doubt(wire: bytes) -> None:
    async with receiving(EMPTY) as receiver:
        asking = Asking(receiver.url)
        await asking.meet()
        receiver.answer, receiver.closes = wire, True
        ended = await asking.ask()
        assert isinstance(ended, NoAnswerError)
        assert not isinstance(ended, NotSentError)
        assert asking.client.lend(asking.url) is None
        await asking.client.close()
    # It is never sent again.
    assert receiver.connections == 1


async def test_a_request_ends_at_its_deadline() -> None:
    async with receiving(EMPTY) as receiver:
        asking = Asking(receiver.url)
        await asking.meet()
        receiver.answer = b""
        assert "in time" in str(await asking.ask(timeout_ms=1))
        await asking.client.close()


@pytest.mark.parametrize(
    "wire",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n" + b"a" * 11,
        b"HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nb\r\n" + b"a" * 11,
    ],
    ids=["whole", "announced", "in chunks"],
)
async def test_an_answer_is_read_up_to_its_bound(wire: bytes) -> None:
    async with receiving(EMPTY) as receiver:
        asking = Asking(receiver.url, answer_bytes_max=10)
        await asking.meet()
        receiver.answer = wire
        assert "too long" in str(await asking.ask())
        await asking.client.close()


async def test_a_long_answer_that_comes_in_pieces_is_read_on() -> None:
    body = b"a" * (4 * limits.outbound_ahead_bytes_max)
    async with receiving(EMPTY) as receiver:
        asking = Asking(receiver.url)
        await asking.meet()
        receiver.answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body
        answer = await asking.ask()
        assert isinstance(answer, Answer)
        assert answer.body == body
        await asking.client.close()


async def test_nothing_is_lent_without_a_free_connection_or_beyond_the_bound() -> None:
    async with receiving(EMPTY) as receiver:
        asking = Asking(receiver.url, connections_max=1)
        await asking.meet()
        lent = asking.send()
        assert lent is not None
        # The only connection is in use.
        assert asking.send() is None
        while not asking.ended:  # noqa: ASYNC110  it has no event
            await asyncio.sleep(0.001)
        again = asking.client.lend(asking.url)
        assert again is not None
        # What is given back without an answer is not kept, and its slot is free.
        again.give_back()
        await asking.client.send("POST", asking.url, headers={})
        assert asking.client.lend(f"{asking.url}#a") is None
        assert asking.client.lend("http://b.example/a") is None
        await asking.client.close()


async def test_a_client_that_is_closed_ends_its_requests() -> None:
    async with receiving(EMPTY) as receiver:
        asking = Asking(receiver.url)
        await asking.meet()
        receiver.answer = b""
        assert asking.send() is not None
        await asking.client.close()
        for _ in range(10):
            await asyncio.sleep(0)
        (error,) = asking.ended
        assert isinstance(error, NoAnswerError)
        assert not isinstance(error, NotSentError)
        assert asking.send() is None
