"""A stream of events through ASGI: what it sends, when it ends, and what it does not accept."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from fastpay import limits
from fastpay.errors import DatabaseUnavailable
from tests.unit.api.fakes import PUBLISHABLE, SECRET, Api

STREAM = {"accept": "text/event-stream"}


class Watcher:
    """A client that follows, in the loop of the test."""

    def __init__(self) -> None:
        self.status = 0
        self.parts: list[bytes] = []
        self.arrived = asyncio.Event()
        self.is_complete = False
        self._left = asyncio.Event()

    async def send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            return
        self.parts.append(message.get("body", b""))
        self.is_complete = not message.get("more_body", False)
        self.arrived.set()

    async def receive(self) -> Any:
        await self._left.wait()
        return {"type": "http.disconnect"}

    def leave(self) -> None:
        self._left.set()

    async def until(self, text: bytes) -> bytes:
        """Wait until this came."""
        async with asyncio.timeout(30):
            while text not in b"".join(self.parts):
                await self.arrived.wait()
                self.arrived.clear()
        return b"".join(self.parts)


@asynccontextmanager
async def following(
    api: Api, query: str = "", key: str = SECRET, **headers: str
) -> AsyncIterator[tuple[Watcher, "asyncio.Task[None]"]]:
    """Follow for the block."""
    watcher = Watcher()
    given = {**STREAM, "authorization": f"Bearer {key}", **headers}
    scope = {
        "type": "http",
        "method": "GET",
        "path": "/v1/events",
        "query_string": query.encode(),
        "headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in given.items()],
    }
    task = asyncio.ensure_future(api.app(scope, watcher.receive, watcher.send))
    try:
        yield watcher, task
    finally:
        task.cancel()
        await asyncio.wait([task])


def followers(api: Api) -> int:
    return api.services.feeds.counts()["feeds_followers"]


async def test_a_stream_begins_at_once_and_says_where_it_is() -> None:
    api = Api()
    async with following(api, "after_sequence=7") as (watcher, _):
        assert await watcher.until(b"id") == b"retry: 2000\nid: 7\n\n"
    assert watcher.status == 200


async def grow_quiet(api: Api) -> None:
    """Let the time pass after which a stream says that it is alive."""
    api.clock.moment_ms += limits.feed_heartbeat_ms
    await api.services.feeds.poll()


async def test_a_quiet_stream_says_that_it_is_alive() -> None:
    api = Api()
    async with following(api, "after_sequence=7") as (watcher, _):
        await watcher.until(b"retry")
        await grow_quiet(api)
        assert (await watcher.until(b"nothing")).endswith(b"\n\n: nothing new\nid: 7\n\n")


async def test_a_client_that_leaves_is_forgotten() -> None:
    api = Api()
    async with following(api) as (watcher, task):
        await watcher.until(b"retry")
        assert followers(api) == 1
        watcher.leave()
        await asyncio.wait_for(task, 30)
        assert followers(api) == 0
    assert not watcher.is_complete


async def test_a_drain_completes_the_response() -> None:
    api = Api()
    async with following(api) as (watcher, task):
        await watcher.until(b"retry")
        api.app.drain()
        await asyncio.wait_for(task, 30)
    assert watcher.is_complete


async def test_a_revoked_key_ends_its_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    api = Api()
    async with following(api) as (watcher, task):
        await watcher.until(b"retry")

        async def nobody(*_: object, **__: object) -> None:
            return None

        monkeypatch.setattr(api.services.keys, "authenticate", nobody)
        await grow_quiet(api)
        await asyncio.wait_for(task, 30)
    assert watcher.is_complete


async def test_an_outage_ends_a_stream_that_has_to_catch_up() -> None:
    api = Api()

    async def away(*_: object) -> None:
        raise DatabaseUnavailable("away")

    async with following(api, "after_sequence=0") as (watcher, task):
        api.services.events.list = away  # type: ignore[method-assign, assignment]
        await asyncio.wait_for(task, 30)
    assert (watcher.status, watcher.is_complete) == (200, True)


async def test_one_stream_too_many_gets_an_ordinary_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "followers_tenant_max", 1)
    api = Api()
    async with following(api) as (first, _), following(api) as (second, task):
        await first.until(b"retry")
        await asyncio.wait_for(task, 30)
        assert second.status == 429
        assert b'"rate_limit"' in second.parts[0]


async def test_a_publishable_key_follows_nothing() -> None:
    async with following(Api(), key=PUBLISHABLE) as (watcher, task):
        await asyncio.wait_for(task, 30)
    assert watcher.status == 403


@pytest.mark.parametrize("accept", ["*/*", "application/json", "text/event-streams", "text/html"])
def test_others_get_a_page(accept: str) -> None:
    assert Api().get("/v1/events", headers={"accept": accept})["object"] == "list"


@pytest.mark.parametrize("name", ["created", "ending_before", "starting_after", "delivery_success"])
def test_a_stream_refuses_what_only_a_page_knows(name: str) -> None:
    value = "true" if name == "delivery_success" else "1"
    refused = Api().refused("GET", f"/v1/events?{name}={value}", headers=STREAM)
    assert (refused["status"], refused["param"]) == (400, name)


@pytest.mark.parametrize("value", ["x", "-1", "1.5", "٣", "1" * 16, "evt_1"])
def test_a_wrong_last_event_id_is_refused(value: str) -> None:
    refused = Api().refused("GET", "/v1/events", headers={**STREAM, "last-event-id": value.encode()})
    assert refused["status"] == 400
    assert "Last-Event-ID" in refused["message"]
