"""Merged lists as streams of one connection of HTTP/2, which come and go by themselves."""

import asyncio
import contextlib
import json
from asyncio import StreamReader, StreamWriter
from typing import TYPE_CHECKING, cast

import httpx

from tests.rollout.recorded import answer_of
from tests.rollout.states import set_all
from tests.support.api import open_client
from tests.support.h2_client import Client, fields
from tests.support.http_server import run
from tests.support.legacy import Heard, RawLegacy
from tests.support.old_lists import both, made_at, page_of
from tests.support.servers import RunningServer

if TYPE_CHECKING:
    from fastpay.server.listener import Server

CUSTOMERS = "/v1/customers"


def test_streams_are_merged_side_by_side_and_one_that_is_reset_ends_at_the_older_api(
    shop: httpx.Client, front: RunningServer, impatient_front: RunningServer, legacy: RawLegacy
) -> None:
    for name in "abc":
        shop.post(CUSTOMERS, data={"name": name})
    own = shop.get(CUSTOMERS).json()["data"]
    old = made_at("cus", [own[0]["created"] + 1, own[-1]["created"] - 1, 5])
    legacy.otherwise = lambda target: answer_of({"data": old, "has_more": False})
    with open_client(impatient_front.url, headers=dict(shop.headers)) as beside:
        set_all("split=0", shop, beside, server=front)
    begun, ended = asyncio.Queue[str](), list[str]()

    async def work() -> None:
        loop = asyncio.get_running_loop()

        async def hang(heard: Heard, reader: StreamReader, _: StreamWriter) -> None:
            path = heard.line.split(" ")[1].partition("?")[0]
            # A GET whose connection ends is sent again, perhaps after the end of this test.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(begun.put_nowait, path)
            await reader.read()
            ended.append(path)

        legacy.answers["/v1/charges"] = legacy.answers["/v1/refunds"] = hang
        async with Client(cast("Server", impatient_front)) as client:

            def ask(path: str) -> int:
                return client.request(fields(path=path, authorization=shop.headers["authorization"]))

            # It is given up for the silence of the older API; the one after it must not wait for that.
            silent = ask("/v1/charges")
            assert await begun.get() == "/v1/charges"
            left = ask("/v1/refunds")
            assert await begun.get() == "/v1/refunds"
            client.connection.reset_stream(left)
            pages = {ask(f"{CUSTOMERS}?limit={limit}"): {"limit": str(limit)} for limit in range(3, 9)}
            await client.until(silent, *pages)
            assert (client.statuses[silent], ended[0], left in client.statuses) == (
                [504],
                "/v1/refunds",
                False,
            )
            for stream, query in pages.items():
                assert client.headers[stream]["fastpay-served-by"] == "both"
                page = page_of(both(own, old), query, CUSTOMERS)
                assert json.loads(client.bodies[stream])["data"] == page["data"]

    run(work())
