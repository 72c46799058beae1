"""A server in the process of the test, so that it can be seen which way a request went."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx

from fastpay._native.cache import Cache
from fastpay.clock import SystemClock
from fastpay.config import Settings
from fastpay.domain.identifiers import Scope
from fastpay.operations.application import open_application
from fastpay.operations.deadline import Deadline
from fastpay.operations.process import _make_server
from fastpay.store import keys
from fastpay.store.connections import connected
from fastpay.store.key_records import Kind
from tests.support.api import TRUST

PAY = "amount=2000&currency=usd&payment_method=pm_card_visa&confirm=true&description=marker"
FORM = {"content-type": "application/x-www-form-urlencoded"}
OF_THE_REQUEST = {"request-id", "date"}


class Instance:
    """A server in this process, with keys of two tenants."""

    def __init__(self, app: Any, server: Any, database_url: str) -> None:
        self._app = app
        self.server = server
        self.database_url = database_url
        self.client = self._new_client(http2=False)
        self.keys: dict[str, str] = {}
        self.scope = Scope("", livemode=False)

    def _new_client(self, *, http2: bool) -> httpx.AsyncClient:
        client = httpx.AsyncClient(
            base_url=self.server.url,
            trust_env=False,
            verify=TRUST,
            timeout=30,
            http1=not http2,
            http2=http2,
        )
        # What a client adds by itself would only be in the way.
        for name in ("accept", "accept-encoding", "user-agent"):
            del client.headers[name]
        return client

    async def use_http2(self) -> None:
        """Send everything over HTTP/2 from here on."""
        await self.client.aclose()
        self.client = self._new_client(http2=True)

    @property
    def answered(self) -> int:
        """How many requests went the short way."""
        count: int = self._app._shortcut.answered
        return count

    @property
    def parked(self) -> int:
        """How many of them had to wait for a read."""
        count: int = self._app._shortcut.parked
        return count

    def forget(self) -> None:
        """Empty the owner's partition, as a change by another instance would."""
        cache: Cache = self._app._shortcut.cache
        cache.void(cache.partition(self.scope))

    async def add_keys(self) -> None:
        """Make the keys: the owner's three, and a stranger's."""
        async with connected(self.database_url) as connection:
            tenants = {
                name: await keys.create_tenant(connection, name, clock=SystemClock())
                for name in ("owner", "stranger")
            }
            self.scope = Scope(tenants["owner"].hex, livemode=False)
            wanted: tuple[tuple[str, str, bool, Kind], ...] = (
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

    async def get_long(
        self, path: str, *, method: str = "GET", headers: dict[str, str] | None = None
    ) -> httpx.Response:
        """Send a request the long way."""
        before = self.answered
        self._app._shortcut.is_open = False
        answer = await self.send(method, path, headers=headers)
        self._app._shortcut.is_open = True
        assert self.answered == before
        return answer

    async def get_both(
        self, path: str, *, method: str = "GET", headers: dict[str, str] | None = None
    ) -> tuple[httpx.Response, httpx.Response]:
        """Send the same request the long way and the short one."""
        await self.send("GET", path)
        long = await self.get_long(path, method=method, headers=headers)
        before = self.answered
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
        events = (await self.send("GET", "/v1/events")).json()["data"]
        event = next(one for one in events if one["type"] == "charge.refunded")
        return [
            f"/v1/payment_intents/{intent['id']}",
            f"/v1/charges/{intent['latest_charge']}",
            f"/v1/refunds/{refund['id']}",
            f"/v1/customers/{customer['id']}",
            f"/v1/payment_methods/{method['id']}",
            f"/v1/events/{event['id']}",
        ]


@asynccontextmanager
async def running(database_url: str, *, key_cache_ms: int = 60_000) -> AsyncIterator[Instance]:
    """Run a server for the block, whose caches do not run out by themselves."""
    chosen = Settings(port=0, database_url=database_url, read_staleness_ms=60_000, key_cache_ms=key_cache_ms)
    deadline = Deadline(1_000)
    async with open_application(
        chosen, database_url=database_url, redis_url=None, clock=SystemClock(), deadline=deadline
    ) as app:
        server = _make_server(app, chosen, None)
        await server.start()
        instance = Instance(app, server, database_url)
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
