"""Requests and answers on real connections: deadlines, what is kept, and who waits for whom."""

import asyncio
from asyncio import StreamReader, StreamWriter
from contextlib import closing
from typing import Any

import pytest

from fastpay import limits
from fastpay.engine.rollout.ports import ClientLeft
from fastpay.errors import LegacyBroke, LegacyFailed, LegacySilent, LegacyUnavailable, Overloaded
from tests.support.legacy import OK, Heard, read_body, reset
from tests.unit.outbound.http1.wires import CUT, REFUSED
from tests.unit.outbound.legacy.older import LONGER_S, Body, Whole, asking, here, request, whole

CHUNKED = [("transfer-encoding", "chunked")]
BEGUN = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n"
MANY, PIECE = 64, b"x" * 131_072


async def test_a_client_that_sends_slowly_is_not_taken_for_an_older_api_that_is_late() -> None:
    """Though the answer has begun. The request does not end: no timeout may run at any time."""

    async def serve(reader: StreamReader, writer: StreamWriter) -> None:
        writer.write(BEGUN)
        await reader.read(-1)

    async with asking(serve) as (_, client):
        answer = await client.ask(request(), Body(b"first"))
        assert await answer.next() == b"one"
        following = asyncio.create_task(answer.next())
        await asyncio.wait([following], timeout=LONGER_S)
        was_awaited = not following.done()
        answer.close()
        following.cancel()
        assert was_awaited, following.exception()


async def test_no_timeout_is_left_on_a_connection_that_is_kept() -> None:
    """The answer is over before its request is: once that is complete, nothing is awaited any more."""
    connections, heard = [], asyncio.Queue[bytes]()

    async def serve(reader: StreamReader, writer: StreamWriter) -> None:
        connections.append(writer)
        while await reader.readuntil(b"\r\n\r\n"):
            writer.write(OK)
            heard.put_nowait(await read_body(Heard(0, "", CHUNKED), reader))

    async with asking(serve) as (_, client):
        for _ in range(2):
            body = Body(b"first")
            with closing(await client.ask(request(), body)) as answer:
                assert await answer.next() == b"ok"
                assert await answer.next() is None
                body.pieces.put_nowait(None)
                assert await heard.get() == b"first"
                await asyncio.sleep(LONGER_S)
        assert len(connections) == 1


async def test_an_older_api_that_takes_nothing_is_late() -> None:
    over = asyncio.Event()

    async def serve(_: StreamReader, __: StreamWriter) -> None:
        await over.wait()

    async with asking(serve) as (_, client):
        body = Body(PIECE)
        for _ in range(10 * MANY):
            body.pieces.put_nowait(PIECE)
        with pytest.raises(LegacySilent):
            await client.ask(request(), body)
        # More than the sockets hold was there.
        assert not body.pieces.empty()
        over.set()


async def test_what_a_client_takes_slowly_is_not_read_ahead_nor_late() -> None:
    async def serve(reader: StreamReader, writer: StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (MANY * len(PIECE)))
        for _ in range(MANY):
            writer.write(PIECE)
            await writer.drain()

    async with asking(serve) as (_, client):
        with closing(await client.ask(request("GET"), Whole())) as answer:
            await asyncio.sleep(LONGER_S)
            first = await answer.next()
            assert first is not None
            # What the event loop reads at once comes on top.
            assert len(first) <= limits.outbound_ahead_bytes_max + 262_144
            length = len(first)
            while piece := await answer.next():
                length += len(piece)
            assert length == MANY * len(PIECE)


async def test_connections_are_used_again_the_last_one_first() -> None:
    async with asking() as (older, client):
        for answer in [await client.ask(request("GET"), Whole()) for _ in range(2)]:
            assert await answer.next() == b"ok"
            assert answer.is_over
            answer.close()
        for _ in range(3):
            assert await whole(client) == b"ok"
        assert older.requests == [1, 4]


async def test_an_idle_connection_is_closed_after_a_while_or_at_once_if_anything_comes_on_it() -> None:
    unasked, closed = asyncio.Queue[bytes](), asyncio.Queue[bytes]()

    async def serve(reader: StreamReader, writer: StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK)
        writer.write(await unasked.get())
        closed.put_nowait(await reader.read())

    for data, idle_ms in ((OK, 3_600_000), (b"", 1)):
        async with asking(serve, idle_ms=idle_ms) as (_, client):
            assert await whole(client) == b"ok"
            unasked.put_nowait(data)
            assert await closed.get() == b""


async def test_what_comes_before_its_answer_is_given_back_closes_a_connection_too() -> None:
    connections: list[StreamWriter] = []

    async def serve(reader: StreamReader, writer: StreamWriter) -> None:
        connections.append(writer)
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK)
        await reader.read()

    async with asking(serve) as (_, client):
        with closing(await client.ask(request("GET"), Whole())) as answer:
            assert await answer.next() == b"ok"
            connections[0].write(OK)
            while answer._reader.keeps:  # type: ignore[attr-defined]  # noqa: ASYNC110
                await asyncio.sleep(0)
        assert await whole(client) == b"ok"
        assert len(connections) == 2


async def test_a_last_answer_ends_its_connection_before_anybody_takes_it() -> None:
    """A worker of the older API that has said so waits for that end, and does nothing else meanwhile."""
    ended = asyncio.Event()

    async def serve(reader: StreamReader, writer: StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok")
        assert not await reader.read()
        ended.set()

    async with asking(serve) as (_, client):
        with closing(await client.ask(request("GET"), Whole())) as answer:
            async with asyncio.timeout(60 * LONGER_S):
                await ended.wait()
            assert await answer.next() == b"ok"
            assert await answer.next() is None


async def test_a_reset_is_not_the_end_of_an_answer() -> None:
    async def serve(reader: StreamReader, writer: StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\nhalf")
        await asyncio.sleep(0.01)
        reset(writer)

    async with asking(serve) as (_, client):
        with pytest.raises(LegacyFailed):
            await whole(client)


async def test_a_client_that_leaves_while_it_waits_ends_the_request() -> None:
    ended = asyncio.Queue[bytes]()

    async def serve(reader: StreamReader, _: StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        body.leaves.set()
        ended.put_nowait(await reader.read())

    body = Whole()
    async with asking(serve, timeout_ms=3_600_000) as (_, client):
        with pytest.raises(ClientLeft):
            await client.ask(request("GET"), body)
        assert await ended.get() == b""
        assert client.counts()["legacy_in_flight"] == 0


async def test_quick_answers_take_no_task(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "legacy_turn_ms", 3_600_000)
    async with asking() as (_, client):
        before = len(asyncio.all_tasks())
        answer = await client.ask(request("GET"), Whole())
        # That of the older API's connection.
        assert len(asyncio.all_tasks()) == before + 1
        answer.close()


async def test_a_read_is_repeated_only_if_nothing_of_an_answer_came() -> None:
    heads = 0

    async def serve(reader: StreamReader, writer: StreamWriter) -> None:
        nonlocal heads
        for answer in (OK, begun):
            await reader.readuntil(b"\r\n\r\n")
            heads += 1
            writer.write(answer)

    for begun, came in ((b"HTTP/1.1 2", 2), (b"", 3)):
        heads = 0
        async with asking(serve) as (_, client):
            assert await whole(client) == b"ok"
            if begun:
                with pytest.raises(LegacyFailed):
                    await whole(client)
            else:
                assert await whole(client) == b"ok"
            assert heads == came


async def test_nobody_is_told_that_nothing_was_sent_after_it_was() -> None:
    """The connection ends after the request, and there is no other one."""

    async def serve(reader: StreamReader, writer: StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK)
        await reader.readuntil(b"\r\n\r\n")

    async with asking(serve) as (_, client):
        assert await whole(client) == b"ok"
        # Nobody listens there.
        client._pool._addresses = ["127.0.0.2"]
        with pytest.raises(LegacyBroke, match="It may have been carried out"):
            await client.ask(request("DELETE"), Whole())


async def test_a_name_is_resolved_once_and_the_address_that_answered_is_the_first_one() -> None:
    resolved = []

    async def resolve(name: str, port: int) -> list[Any]:
        resolved.append(name)
        # Nobody listens at the first one.
        return [(0, 0, 0, "", ("127.0.0.2", port)), *await here(name, port)]

    async with asking(resolve=resolve) as (older, client):
        answers = await asyncio.gather(*[client.ask(request("GET"), Whole()) for _ in range(5)])
        for answer in answers:
            answer.close()
        assert resolved == ["older.example"]
        assert len(older.requests) == 5
        assert client._pool._addresses == ["127.0.0.1", "127.0.0.2"]


@pytest.mark.parametrize("wire", [*REFUSED.values(), *CUT.values()], ids=[*REFUSED, *CUT])
async def test_what_is_no_answer_is_not_passed_on(wire: bytes) -> None:
    """A read says so, and whoever changes anything is told that it may have been carried out."""

    async def serve(reader: StreamReader, writer: StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(wire)
        if wire in REFUSED.values():
            await reader.read()

    async with asking(serve, timeout_ms=3_600_000) as (_, client):
        for method, failure in (("GET", LegacyFailed), ("POST", LegacyBroke)):
            with pytest.raises(failure):
                await whole(client, method)


async def test_nothing_is_sent_to_a_name_without_an_address() -> None:
    async def resolve(_: str, __: int) -> list[Any]:
        raise OSError("no such name")

    async with asking(resolve=resolve) as (older, client):
        with pytest.raises(LegacyUnavailable):
            await whole(client, "POST")
        assert older.requests == []
        assert client.counts()["legacy_in_flight"] == 0


async def test_who_waits_for_another_request_to_end_gets_its_turn_or_leaves_it_to_the_next() -> None:
    async with asking(connections_max=1) as (_, client):
        first = await client.ask(request("GET"), Whole())
        leaving, staying = (asyncio.create_task(whole(client)) for _ in range(2))
        await asyncio.sleep(0)
        assert client.counts()["legacy_waiting"] == 2
        first.close()
        # Its turn has come, and it has not run since.
        leaving.cancel()
        assert await staying == b"ok"
        assert leaving.cancelled()
        assert client.counts()["legacy_in_flight"] == client.counts()["legacy_waiting"] == 0


async def test_who_waits_too_long_for_another_request_is_told_so_and_counts_no_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "legacy_wait_ms", 1)
    monkeypatch.setattr(limits, "legacy_waiting_max", 1)
    async with asking(connections_max=1) as (_, client):
        first = await client.ask(request("GET"), Whole())
        waiting = asyncio.create_task(whole(client))
        await asyncio.sleep(0)
        with pytest.raises(Overloaded, match="Too many"):
            await whole(client)
        with pytest.raises(Overloaded, match="as many requests"):
            await waiting
        assert (client.counts()["legacy_in_flight"], client.counts()["legacy_waiting"]) == (1, 0)
        first.close()
        assert client.counts()["legacy_in_flight"] == 0
