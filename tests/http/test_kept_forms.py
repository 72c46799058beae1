"""Answers in a coding, made once for each version of an object, whichever way and protocol asks for them."""

import gzip
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from fastpay.api import encodings
from tests.http.instances import Instance, running
from tests.support.api import TRUST

GZIP = {"accept-encoding": "gzip"}


@pytest.fixture
def compressions(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was compressed so far, by its coding."""
    made: list[str] = []

    def count(coding: str, compress: Callable[[bytes], bytes]) -> Callable[[bytes], bytes]:
        def counted(body: bytes) -> bytes:
            made.append(coding)
            return compress(body)

        return counted

    counted = {coding: count(coding, compress) for coding, compress in encodings.CODINGS.items()}
    monkeypatch.setattr("fastpay.api.encodings.CODINGS", counted)
    monkeypatch.setattr("fastpay.api.cached_responses.CODINGS", counted)
    return made


async def raw(client: httpx.AsyncClient, path: str, key: str, **headers: str) -> tuple[Any, bytes]:
    """Return the headers of an answer, and its body as it was sent."""
    sent = {"authorization": f"Bearer {key}"} | {name.replace("_", "-"): v for name, v in headers.items()}
    async with client.stream("GET", path, headers=sent) as answer:
        return answer.headers, b"".join([part async for part in answer.aiter_raw()])


async def make_charge(instance: Instance) -> str:
    """Make a charge that is worth encoding, and return its path."""
    form = "amount=2000&currency=usd&payment_method=pm_card_visa&confirm=true&metadata[a]=" + "a" * 450
    intent = await instance.post("/v1/payment_intents", form)
    return f"/v1/charges/{intent['latest_charge']}"


async def test_a_second_answer_in_the_same_coding_compresses_nothing(
    database_url: str, compressions: list[str]
) -> None:
    async with running(database_url) as instance:
        path, key = await make_charge(instance), instance.keys["owner"]
        http2 = httpx.AsyncClient(
            base_url=instance.client.base_url,
            trust_env=False,
            verify=TRUST,
            http1=False,
            http2=True,
            timeout=30,
        )
        async with http2:
            first = await raw(instance.client, path, key, accept_encoding="gzip")
            plain = await instance.send("GET", path)
            assert compressions == ["gzip"]
            assert gzip.decompress(first[1]) == plain.content
            # The short way, the long way, and the other protocol.
            again = [await raw(instance.client, path, key, accept_encoding="gzip;q=0.5, *;q=0")]
            again.append(await raw(instance.client, path, key, accept_encoding="gzip", fastpay_x="1"))
            again.append(await raw(http2, path, key, accept_encoding="gzip"))
            assert compressions == ["gzip"]
            for headers, body in again:
                assert body == first[1]
                for name in ("content-encoding", "content-length", "etag", "vary", "cache-control"):
                    assert headers[name] == first[0][name]
            head = await instance.send("HEAD", path, headers=GZIP)
            assert head.headers["content-length"] == str(len(first[1]))
            unchanged = await instance.send("GET", path, headers=GZIP | {"if-none-match": first[0]["etag"]})
            assert (unchanged.status_code, unchanged.headers["vary"]) == (304, "accept-encoding")
            assert "content-encoding" not in unchanged.headers
            assert compressions == ["gzip"]
            await raw(http2, path, key, accept_encoding="br")
            await raw(instance.client, path, key, accept_encoding="br")
            assert compressions == ["gzip", "br"]


async def test_a_new_version_is_compressed_anew(database_url: str, compressions: list[str]) -> None:
    async with running(database_url) as instance:
        path, key = await make_charge(instance), instance.keys["owner"]
        for number in range(3):
            await instance.post(path, f"description=version {number}")
            compressions.clear()
            for _ in range(2):
                _, body = await raw(instance.client, path, key, accept_encoding="gzip")
                assert b'"version %d"' % number in gzip.decompress(body)
            assert compressions == ["gzip"]
        instance.forget()
        compressions.clear()
        for _ in range(2):
            await raw(instance.client, path, key, accept_encoding="gzip")
        assert compressions == ["gzip"]


async def test_what_holds_a_secret_is_compressed_for_nobody(
    database_url: str, compressions: list[str]
) -> None:
    async with running(database_url) as instance:
        intent = await instance.post("/v1/payment_intents", "amount=100&currency=usd")
        for _ in range(2):
            headers, body = await raw(
                instance.client,
                f"/v1/payment_intents/{intent['id']}",
                instance.keys["owner"],
                accept_encoding="gzip, identity;q=0",
            )
            assert "content-encoding" not in headers
            assert intent["client_secret"].encode() in body
        assert compressions == []
