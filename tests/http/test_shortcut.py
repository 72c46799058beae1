"""The short way to an answer beside the long one: the same answers, the same refusals, nothing more."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from fastpay.clock import SystemClock
from fastpay.config import Settings
from fastpay.process import Deadline, _make_server, open_application
from fastpay.store import keys
from fastpay.store.connections import connected

pytestmark = pytest.mark.anyio

PAY = "amount=2000&currency=usd&payment_method=pm_card_visa&confirm=true&description=marker"
FORM = {"content-type": "application/x-www-form-urlencoded"}
IDENTITY = {"accept-encoding": "identity"}
OF_THE_REQUEST = {"request-id", "date"}


class Instance:
    """A server in this process, with keys of two tenants."""

    def __init__(self, app: Any, url: str, database_url: str) -> None:
        self._app = app
        self.database_url = database_url
        # What a client adds by itself would only be in the way.
        self.client = httpx.AsyncClient(base_url=url, trust_env=False, timeout=30)
        for name in ("accept", "accept-encoding", "user-agent"):
            del self.client.headers[name]
        self.keys: dict[str, str] = {}

    @property
    def answered(self) -> int:
        """How many requests went the short way."""
        count: int = self._app._shortcut.answered
        return count

    async def add_keys(self) -> None:
        """Make the keys: the owner's three, and a stranger's."""
        async with connected(self.database_url) as connection:
            tenants = {
                name: await keys.create_tenant(connection, name, clock=SystemClock())
                for name in ("owner", "stranger")
            }
            wanted: tuple[tuple[str, str, bool, keys.Kind], ...] = (
                ("owner", "owner", False, "secret"),
                ("publishable", "owner", False, "publishable"),
                ("live", "owner", True, "secret"),
                ("stranger", "stranger", False, "secret"),
            )
            for name, tenant, livemode, kind in wanted:
                made = await keys.create_key(
                    connection, tenants[tenant], livemode=livemode, kind=kind, clock=SystemClock()
                )
                self.keys[name] = made.key

    async def send(
        self,
        method: str,
        path: str,
        *,
        key: str = "owner",
        headers: dict[str, str] | None = None,
        **more: Any,
    ) -> httpx.Response:
        """Send one request."""
        authorization = {"authorization": f"Bearer {self.keys[key]}"}
        return await self.client.request(method, path, headers=authorization | (headers or {}), **more)

    async def get_both(
        self, path: str, *, method: str = "GET", headers: dict[str, str] | None = None
    ) -> tuple[httpx.Response, httpx.Response]:
        """Send the same request the long way and the short one."""
        await self.send("GET", path)
        before = self.answered
        self._app._shortcut.is_open = False
        long = await self.send(method, path, headers=headers)
        self._app._shortcut.is_open = True
        assert self.answered == before
        short = await self.send(method, path, headers=headers)
        assert self.answered == before + 1, "the short way was not taken"
        return long, short

    async def post(self, path: str, form: str = "") -> dict[str, Any]:
        """Send a form that must go well."""
        answer = await self.send("POST", path, headers=FORM, content=form)
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        return body

    async def make_objects(self) -> list[str]:
        """Make one of each kind that is kept, and return their paths."""
        customer = await self.post("/v1/customers", "name=Ada")
        method = await self.post("/v1/payment_methods/pm_card_visa/attach", f"customer={customer['id']}")
        intent = await self.post("/v1/payment_intents", PAY)
        refund = await self.post("/v1/refunds", f"payment_intent={intent['id']}&amount=10")
        return [
            f"/v1/payment_intents/{intent['id']}",
            f"/v1/charges/{intent['latest_charge']}",
            f"/v1/refunds/{refund['id']}",
            f"/v1/customers/{customer['id']}",
            f"/v1/payment_methods/{method['id']}",
        ]


@asynccontextmanager
async def running(database_url: str, *, key_cache_ms: int = 60_000) -> AsyncIterator[Instance]:
    """Run a server for the block, whose caches do not run out by themselves."""
    chosen = Settings(port=0, read_staleness_ms=60_000, key_cache_ms=key_cache_ms)
    deadline = Deadline(1_000)
    async with open_application(
        chosen, database_url=database_url, redis_url=None, clock=SystemClock(), deadline=deadline
    ) as app:
        server = _make_server(app, chosen)
        await server.start()
        instance = Instance(app, server.url, database_url)
        try:
            await instance.add_keys()
            yield instance
        finally:
            await instance.client.aclose()
            await server.stop()


def parts(answer: httpx.Response) -> tuple[int, bytes, list[tuple[str, str]]]:
    """Return all of an answer but what belongs to the request alone."""
    headers = [(name, value) for name, value in answer.headers.items() if name not in OF_THE_REQUEST]
    return answer.status_code, answer.content, sorted(headers)


async def test_both_ways_give_the_same_answer_to_every_kind_of_question(database_url: str) -> None:
    async with running(database_url) as instance:
        for path in await instance.make_objects():
            tag = (await instance.send("GET", path)).headers["etag"]
            assert tag.startswith(('"1-', '"2-'))
            questions: list[dict[str, str]] = [
                {},
                {"stripe-version": "2099-01-01"},
                {"if-none-match": tag},
                {"if-none-match": '"1-0000000000000000"'},
                {"if-none-match": "W/nonsense"},
                {"user-agent": "somebody", "x-stripe-client-user-agent": "{}", "cookie": "a=b"},
            ]
            for method, headers in itertools.product(("GET", "HEAD"), questions):
                long, short = await instance.get_both(path, method=method, headers=headers)
                assert parts(long) == parts(short)
                assert long.headers["request-id"] != short.headers["request-id"]
                expected = 304 if headers.get("if-none-match") == tag else 200
                assert short.status_code == expected
                assert bool(short.content) == (expected == 200 and method == "GET")
                assert short.headers["cache-control"] == "private, no-store"
                assert short.headers["etag"] == tag


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
            (400, intent, {"headers": {"stripe-account": "acct_1"}}),
            (200, intent, {"params": {"expand[]": "latest_charge"}}),
            (400, intent, {"params": {"unknown": "1"}}),
            (200, intent, {"content": b"a body"}),
            (200, intent, {"headers": {"stripe-version": "x" * 65}}),
            (200, intent, {"headers": {"idempotency-key": "k"}}),
            (200, charge, {"headers": {"accept-encoding": "gzip"}}),
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
