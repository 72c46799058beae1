"""How many answers of both sides are put together at the same time, and which routes have them."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest
from starlette.types import Message, Receive, Scope, Send

from fastpay import limits
from fastpay.api.app import ROUTES
from fastpay.api.context import Services
from fastpay.api.list_params import CreatedListParams
from fastpay.api.merging import BothSides, why_alone
from fastpay.engine.rollout.finding_ports import RouteKey
from fastpay.engine.rollout.merges import Merges
from fastpay.engine.rollout.ports import PassedAnswer, PassedBody, PassedRequest
from fastpay.engine.rollout.routes import Front
from fastpay.errors import Overloaded
from tests.unit.engine.rollout.test_findings import make

KEY = RouteKey(1, "GET /v1/charges")
SCOPE: dict[str, Any] = {
    "type": "http",
    "method": "GET",
    "path": "/v1/charges",
    "query_string": b"",
    "headers": [],
    "http_version": "1.1",
    "scheme": "http",
    "fastpay.target": b"/v1/charges",
}


class Silent:
    """A legacy API that does not answer, and is never asked more than is allowed."""

    def __init__(self) -> None:
        self.asked: asyncio.Queue[bytes] = asyncio.Queue()
        self._in_progress = 0

    async def ask(self, request: PassedRequest, body: PassedBody) -> PassedAnswer:
        """Wait for ever."""
        self.asked.put_nowait(request.target)
        self._in_progress += 1
        try:
            assert self._in_progress <= limits.merged_requests_max
            await asyncio.get_running_loop().create_future()
        finally:
            self._in_progress -= 1
        raise AssertionError("nobody resolves it")


async def served(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with an empty list."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b'{"data": []}'})


async def nothing() -> Message:
    await asyncio.get_running_loop().create_future()
    raise AssertionError("nobody resolves it")


async def to_nobody(message: Message) -> None:
    raise AssertionError(message)


async def test_one_more_than_the_bound_is_refused_and_a_client_that_leaves_makes_room() -> None:
    services = cast("Services", SimpleNamespace(identifiers=SimpleNamespace(request_id=lambda: "req_1")))
    legacy, (findings, _) = Silent(), make()
    front = cast(
        "Front",
        SimpleNamespace(legacy=legacy, mistaken=None, shadow=None, merges=Merges(findings, lambda: 0)),
    )
    both = BothSides(services, front, served, CreatedListParams)
    tasks = [
        asyncio.ensure_future(both(KEY, SCOPE, nothing, to_nobody)) for _ in range(limits.merged_requests_max)
    ]
    for _ in tasks:
        assert await legacy.asked.get() == b"/v1/charges?limit=10"
    with pytest.raises(Overloaded):
        await both(KEY, SCOPE, nothing, to_nobody)
    for task in tasks:
        task.cancel()
    assert {type(ended) for ended in await asyncio.gather(*tasks, return_exceptions=True)} == {
        asyncio.CancelledError
    }
    another = asyncio.ensure_future(both(KEY, SCOPE, nothing, to_nobody))
    await legacy.asked.get()
    another.cancel()


def test_each_read_is_merged_or_says_why_not() -> None:
    merged = {
        route.path.removeprefix("/v1/")
        for route in ROUTES
        if route.method == "GET" and why_alone(route.path, route.endpoint.contract) is None
    }
    assert merged == {
        "accounts",
        "application_fees",
        "balance",
        "balance_transactions",
        "charges",
        "customers",
        "disputes",
        "events",
        "payment_intents",
        "payouts",
        "refunds",
        "setup_intents",
        "transfers",
    }
