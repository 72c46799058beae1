"""Requests that wait on the short way for their object to be read."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

import httpx
import pytest

from fastpay.domain.identifiers import Scope
from fastpay.engine.ports import Reading
from fastpay.engine.read.in_flight import InFlightRead
from fastpay.store.connections import connected
from fastpay.store.reads import PostgresReads
from tests.http.instances import Instance, parts, running

PATIENCE_S = 30


@asynccontextmanager
async def held(instance: Instance) -> AsyncIterator[None]:
    """Let no read of an object come to its end during the block."""
    async with connected(instance.database_url) as connection, connection.transaction():
        await connection.execute("lock table object_version in access exclusive mode")
        yield


async def until_parked(instance: Instance, count: int) -> None:
    """Return when so many requests have been parked."""
    async with asyncio.timeout(PATIENCE_S):
        while instance.parked < count:  # noqa: ASYNC110  nobody tells
            await asyncio.sleep(0.001)


async def test_what_is_read_anew_is_answered_as_by_the_long_way(database_url: str) -> None:
    async with running(database_url) as instance:
        for path in await instance.make_objects():
            tag = (await instance.send("GET", path)).headers["etag"]
            for method in ("GET", "HEAD"):
                for headers in (
                    {},
                    {"stripe-version": "2099-01-01"},
                    {"if-none-match": tag},
                    {"if-none-match": "*"},
                    {"accept-encoding": "gzip, identity;q=0"},
                ):
                    long = await instance.get_long(path, method=method, headers=headers)
                    instance.forget()
                    before = instance.parked
                    short = await instance.send(method, path, headers=headers)
                    assert instance.parked == before + 1
                    assert parts(long) == parts(short)


async def test_many_requests_for_one_object_are_parked_at_one_read(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(database_url) as instance:
        path, *_ = await instance.make_objects()
        expected = parts(await instance.send("GET", path))
        instance.forget()
        before = instance.parked
        statements = []
        read_latest = PostgresReads.read_latest

        async def count(reads: PostgresReads, wanted: Sequence[tuple[Scope, str]]) -> Reading:
            statements.append(len(wanted))
            return await read_latest(reads, wanted)

        monkeypatch.setattr(PostgresReads, "read_latest", count)
        async with held(instance):
            requests = [asyncio.create_task(instance.send("GET", path)) for _ in range(100)]
            await until_parked(instance, before + 100)
        answers = await asyncio.gather(*requests)
    assert all(parts(answer) == expected for answer in answers)
    assert statements == [1]


async def test_what_is_not_there_is_refused_by_the_long_way(database_url: str) -> None:
    async with running(database_url) as instance:
        path, *_ = await instance.make_objects()
        await instance.send("GET", path)
        missing = path[:-32] + "0" * 32
        before = instance.parked
        answer = await instance.send("GET", missing)
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "resource_missing")
        assert instance.parked == before + 1
        # Remembered as missing now, so that nothing is read.
        assert (await instance.send("GET", missing)).status_code == 404
        assert instance.parked == before + 1


async def test_what_takes_more_than_its_snapshot_goes_on_by_the_long_way(database_url: str) -> None:
    async with running(database_url) as instance:
        path, *_ = await instance.make_objects()
        await instance.send("GET", path)
        declined = await instance.send(
            "POST",
            "/v1/payment_intents",
            headers={"content-type": "application/x-www-form-urlencoded"},
            content="amount=100&currency=usd&confirm=true&payment_method=pm_card_chargeDeclined",
        )
        intent = declined.json()["error"]["payment_intent"]
        instance.forget()
        before = instance.parked
        answer = await instance.send("GET", f"/v1/payment_intents/{intent['id']}")
        assert instance.parked == before + 1
        # Shown whole, which is another object's business.
        assert answer.json()["last_payment_error"]["payment_method"]["object"] == "payment_method"


async def test_a_read_that_failed_is_told_by_the_long_way(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(database_url) as instance:
        path, *_ = await instance.make_objects()
        expected = parts(await instance.send("GET", path))
        instance.forget()
        resolve = InFlightRead.resolve

        def fail(read: InFlightRead, _versioned: object) -> None:
            monkeypatch.setattr(InFlightRead, "resolve", resolve)
            read.fail(RuntimeError("cut"))

        monkeypatch.setattr(InFlightRead, "resolve", fail)
        before = instance.parked
        assert parts(await instance.send("GET", path)) == expected
        assert instance.parked == before + 1


async def test_whoever_goes_away_while_he_is_parked_takes_nothing_from_the_others(database_url: str) -> None:
    async with running(database_url) as instance:
        path, *_ = await instance.make_objects()
        expected = parts(await instance.send("GET", path))
        instance.forget()
        before = instance.parked
        async with held(instance):
            requests = [asyncio.create_task(instance.send("GET", path)) for _ in range(4)]
            await until_parked(instance, before + 4)
            requests[0].cancel()
            requests[2].cancel()
            with suppress(asyncio.CancelledError):
                await requests[2]
            await asyncio.sleep(0.05)
        found = await asyncio.gather(*requests, return_exceptions=True)
        assert [parts(one) for one in found if isinstance(one, httpx.Response)] == [expected] * 2
        assert parts(await instance.send("GET", path)) == expected


async def test_a_stop_waits_for_who_is_parked(database_url: str) -> None:
    async with running(database_url) as instance:
        path, *_ = await instance.make_objects()
        expected = parts(await instance.send("GET", path))
        instance.forget()
        before = instance.parked
        async with held(instance):
            request = asyncio.create_task(instance.send("GET", path))
            await until_parked(instance, before + 1)
            stopping = asyncio.create_task(instance.server.stop())
            await asyncio.sleep(0.05)
            assert not request.done()
        answer = await request
        assert answer.headers["connection"] == "close"
        assert answer.content == expected[1]
        await stopping


async def test_requests_behind_a_parked_one_wait_for_their_turn(database_url: str) -> None:
    async with running(database_url) as instance:
        paths = await instance.make_objects()
        await instance.send("GET", paths[0])
        instance.forget()
        before = instance.parked
        fields = f"host: localhost\r\nauthorization: Bearer {instance.keys['owner']}"
        heads = [f"GET {path} HTTP/1.1\r\n{fields}\r\n\r\n" for path in [*paths, *paths]]
        heads[-1] = heads[-1].replace("\r\n\r\n", "\r\nconnection: close\r\n\r\n")
        reader, writer = await asyncio.open_connection(
            instance.client.base_url.host, instance.client.base_url.port
        )
        writer.write("".join(heads).encode())
        received = await reader.read()
        writer.close()
    identifiers = [path.rpartition("/")[2].encode() for path in paths]
    answers = received.split(b"HTTP/1.1 200 OK\r\n")[1:]
    assert len(answers) == 2 * len(paths)
    assert all(b'{"id":"%b"' % one in answer for one, answer in zip(identifiers * 2, answers, strict=True))
    assert instance.parked == before + len(paths)
