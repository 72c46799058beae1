"""The short way to an answer beside the long one: the same answers, the same refusals, nothing more."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from typing import Any

import pytest

from fastpay._native.ordinary_headers import HARMLESS, OF_TRACES
from fastpay.store.connections import connected
from tests.http.instances import parts, running

# A request has one Host, and these of a connection are judged before either way.
OF_THE_CONNECTION = {"host", "connection", "keep-alive"}
HARMLESS_TEXTS = [
    name for name in map(bytes.decode, (*HARMLESS, *OF_TRACES)) if name not in OF_THE_CONNECTION
]


@pytest.mark.parametrize("version", ["HTTP/1.1", "HTTP/2"])
async def test_both_ways_give_the_same_answer_to_every_kind_of_question(
    database_url: str, version: str
) -> None:
    async with running(database_url) as instance:
        if version == "HTTP/2":
            await instance.use_http2()
        codings = set()
        for path in await instance.make_objects():
            tag = (await instance.send("GET", path)).headers["etag"]
            assert tag.startswith(('"1-', '"2-'))
            questions: list[dict[str, str]] = [
                {},
                {"stripe-version": "2099-01-01"},
                {"if-none-match": tag},
                {"if-none-match": '"1-0000000000000000"'},
                {"if-none-match": "W/nonsense"},
                {"if-none-match": f"W/{tag}"},
                {"accept-encoding": "gzip"},
                {"accept-encoding": "br, gzip;q=0.5, identity;q=0"},
                {"accept-encoding": "zstd;q=0, identity;q=0"},
                {"accept-encoding": "nonsense;;"},
                {"accept-encoding": "identity;q=0, gzip", "if-none-match": tag},
                {"user-agent": "somebody", "x-stripe-client-user-agent": "{}", "cookie": "a=b"},
                # All at once, so that none of them makes a difference to the long way.
                dict.fromkeys(HARMLESS_TEXTS, "1") | {"if-none-match": tag},
                dict.fromkeys(HARMLESS_TEXTS, "1"),
            ]
            for method, headers in itertools.product(("GET", "HEAD"), questions):
                long, short = await instance.get_both(path, method=method, headers=headers)
                assert parts(long) == parts(short)
                assert short.http_version == long.http_version == version
                assert long.headers["request-id"] != short.headers["request-id"]
                expected = 304 if headers.get("if-none-match", "").removeprefix("W/") == tag else 200
                assert short.status_code == expected
                assert bool(short.content) == (expected == 200 and method == "GET")
                assert short.headers["cache-control"] == "private, no-store"
                coding = short.headers.get("content-encoding")
                assert short.headers["etag"] == (tag if coding is None else f"W/{tag}")
                codings.add(coding)
        assert codings == {None, "gzip", "br"}


async def test_a_tag_is_of_one_version_and_one_form_of_an_answer(database_url: str) -> None:
    async with running(database_url) as instance:
        (path, *_) = await instance.make_objects()
        plain = await instance.send("GET", path)
        expanded = await instance.send("GET", path, params={"expand[]": "latest_charge"})
        tags = {plain.headers["etag"], expanded.headers["etag"]}
        assert len(tags) == 2
        repeated = await instance.send(
            "GET",
            path,
            params={"expand[]": "latest_charge"},
            headers={"if-none-match": f'"x", W/{expanded.headers["etag"]}'},
        )
        assert (repeated.status_code, repeated.content) == (304, b"")
        assert (await instance.send("GET", path, headers={"if-none-match": "*"})).status_code == 304
        await instance.post(path, "metadata[a]=b")
        changed = await instance.send("GET", path, headers={"if-none-match": plain.headers["etag"]})
        assert changed.status_code == 200
        assert changed.json()["metadata"] == {"a": "b"}
        assert changed.headers["etag"] not in tags


async def test_what_is_out_of_the_ordinary_goes_the_long_way(database_url: str) -> None:
    async with running(database_url) as instance:
        intent, charge, *_ = await instance.make_objects()
        for path in (intent, charge):
            await instance.send("GET", path)
        before = instance.answered
        requests: list[tuple[int, str, dict[str, Any]]] = [
            (403, intent, {"headers": {"stripe-account": "acct_1"}}),
            (403, intent, {"headers": {"stripe-context": "acct_1"}}),
            (403, intent, {"headers": {"origin": "https://shop.example"}}),
            (200, intent, {"params": {"expand[]": "latest_charge"}}),
            (400, intent, {"params": {"unknown": "1"}}),
            (200, intent, {"content": b"a body"}),
            (400, intent, {"headers": {"stripe-version": "x" * 65}}),
            (400, intent, {"headers": {"stripe-version": "2025-02-30"}}),
            (400, intent, {"headers": {"stripe-version": "2025-09-30.clover!"}}),
            (200, intent, {"headers": {"stripe-version": "2024-02-29"}}),
            (200, intent, {"headers": {"idempotency-key": "k"}}),
            (200, intent, {"headers": {"x-unknown": "1"}}),
            (200, intent, {"headers": {"fastpay-server-timing": "1"}}),
            (200, intent, {"headers": {"content-type": "text/plain"}}),
            (200, intent, {"headers": {"range": "bytes=0-1"}}),
            (404, charge.replace("/charges/", "/refunds/"), {}),
            (404, intent.replace("/payment_intents/", "/charges/"), {}),
            (404, intent + "/", {}),
            (404, intent.replace("/v1/", "/v2/"), {}),
        ]
        for status, path, more in requests:
            answer = await instance.send("GET", path, **more)
            assert answer.status_code == status, (path, more, answer.text)
        assert instance.answered == before
        assert (await instance.send("HEAD", intent)).status_code == 200
        assert (await instance.send("DELETE", intent)).headers["allow"] == "GET, HEAD, POST"
        assert instance.answered == before + 1


async def test_nobody_gets_by_the_short_way_what_the_long_one_refuses(database_url: str) -> None:
    async with running(database_url) as instance:
        paths = await instance.make_objects()
        for path in paths:
            for _ in range(2):
                assert "marker" in (await instance.send("GET", paths[0])).text
                await instance.send("GET", path)
            before = instance.answered
            for key, status in (("stranger", 404), ("live", 404), ("publishable", 403)):
                for _ in range(3):
                    answer = await instance.send("GET", path, key=key)
                    refused = 404 if key == "publishable" and "payment_intents" in path else status
                    assert answer.status_code in {status, refused, 400}, (key, path)
                    assert "marker" not in answer.text
            assert (await instance.client.get(path)).status_code == 401
            bad = {"authorization": f"Bearer {instance.keys['owner']}x"}
            assert (await instance.client.get(path, headers=bad)).status_code == 401
            assert instance.answered == before


async def test_a_revoked_key_opens_nothing_once_its_time_is_over(database_url: str) -> None:
    async with running(database_url, key_cache_ms=100) as instance:
        (path, *_) = await instance.make_objects()
        await instance.send("GET", path)
        before = instance.answered
        while instance.answered == before:
            assert (await instance.send("GET", path)).status_code == 200
        async with connected(database_url) as connection:
            await connection.execute("update api_key set revoked_at = now()")
        await asyncio.sleep(0.15)
        assert (await instance.send("GET", path)).status_code == 401


async def test_requests_in_one_packet_are_answered_in_their_order(database_url: str) -> None:
    async with running(database_url) as instance:
        paths = await instance.make_objects()
        for path in paths:
            await instance.send("GET", path)
        before = instance.answered
        reader, writer = await asyncio.open_connection(
            instance.client.base_url.host, instance.client.base_url.port
        )
        fields = f"host: localhost\r\nauthorization: Bearer {instance.keys['owner']}"
        heads = [f"GET {path} HTTP/1.1\r\n{fields}\r\n\r\n" for path in paths]
        heads[-1] = heads[-1].replace("\r\n\r\n", "\r\nconnection: close\r\n\r\n")
        writer.write("".join(heads).encode())
        received = await reader.read()
        writer.close()
    places = [received.find(path.rpartition("/")[2].encode()) for path in paths]
    assert received.count(b"HTTP/1.1 200 OK") == len(paths)
    assert -1 not in places
    assert places == sorted(places)
    assert received.count(b"connection: close") == 1
    assert instance.answered == before + len(paths)


async def test_over_http2_an_object_is_waited_for_and_a_request_with_a_body_is_not_answered(
    database_url: str,
) -> None:
    async def body() -> AsyncIterator[bytes]:
        """No Content-Length: only the frames say that there is a body."""
        yield b"a"

    async with running(database_url) as instance:
        await instance.use_http2()
        (path, *_) = await instance.make_objects()
        known = await instance.send("GET", path)
        instance.forget()
        before, parked = instance.answered, instance.parked
        again = await instance.send("GET", path)
        assert (instance.answered, instance.parked) == (before + 1, parked + 1)
        assert parts(again) == parts(known)
        with_body = await instance.send("GET", path, content=body())
        assert instance.answered == before + 1
        assert with_body.status_code == 200
