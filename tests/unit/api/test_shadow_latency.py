"""Both sides of a request in shadow are timed alike, and five milliseconds more are found."""

import random
from collections import Counter
from collections.abc import Coroutine
from typing import Any, cast

import pytest
from starlette.types import Message, Receive, Scope, Send

from fastpay.api.legacy import PassThrough
from fastpay.api.shadowing import Candidate, Shadow, ShadowRequest
from fastpay.engine.rollout.finding_ports import RouteKey
from fastpay.engine.rollout.latency import Latency, latency_of
from fastpay.engine.rollout.routes import Front
from fastpay.engine.rollout.rules import Rules
from fastpay.engine.rollout.shadow import ShadowTasks
from tests.unit.engine.rollout.test_findings import make

KEY, MS = RouteKey(7, "GET /v1/charges"), 1_000_000
SCOPE = {"type": "http", "method": "GET", "path": "/v1/charges", "query_string": b"", "headers": []}


class Tasks(ShadowTasks):
    """Keeps a comparison for the test to run."""

    work: Coroutine[Any, Any, None]

    def begin(self, work: Coroutine[Any, Any, None]) -> None:
        """Keep it."""
        self.work = work


class NoTrial:
    """A read decides nothing."""

    def take(self, _request_id: str) -> None:
        """Return nothing."""


class Sides:
    """A clock that both sides move while they answer, in 3 ms and up to so many more."""

    def __init__(self, spread_ms: int, slower_ns: int) -> None:
        self.now = 0
        self.chance = random.Random(7)
        self.spread_ms = spread_ms
        self.slower_ns = slower_ns

    async def legacy(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        """Answer as the older API."""
        await self._answer(send, 0)

    async def fastpay(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        """Answer as fastpay would."""
        await self._answer(send, self.slower_ns)

    async def _answer(self, send: Send, more_ns: int) -> None:
        self.now += int((3 + self.chance.uniform(0, self.spread_ms)) * MS) + more_ns
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"{}"})


async def compare(sides: Sides, requests_max: int) -> Latency:
    """Send requests until fastpay is known to be slower; return what is known then."""
    (findings, store), tasks = make(), Tasks()
    front = Front(
        *cast("tuple[Any, ...]", (None, None, findings, tasks, NoTrial(), None, None, None, None, Rules(), 0))
    )
    shadow = Shadow(front, cast("PassThrough", sides.legacy), lambda: sides.now)
    counts: Counter[str] = Counter()

    async def slow_client(_message: Message) -> None:
        sides.now += 50 * MS

    for _ in range(requests_max):
        request = ShadowRequest(SCOPE, KEY, Candidate(sides.fastpay, is_decided=False), [])
        await shadow(request, cast("Receive", None), slow_client)
        await tasks.work
        await findings.flush()
        for one in store.counts:
            counts[one.name] += one.count if one.measure == "latency" else 0
        store.counts.clear()
        known = latency_of(counts)
        if known is not None and known.is_slower:
            break
    assert known is not None
    return known


@pytest.mark.parametrize(("spread_ms", "requests"), [(0, 10), (4, 10), (12, 24)])
async def test_five_milliseconds_more_are_found_and_this_is_how_many_requests_it_took(
    spread_ms: int, requests: int
) -> None:
    known = await compare(Sides(spread_ms, 5 * MS), 200)
    assert (known.pairs, known.is_slower) == (requests, True)
    assert known.fastpay_p50_ms > known.legacy_p50_ms + 2


async def test_sides_that_take_equally_long_are_not_told_apart_and_a_slow_client_counts_for_none() -> None:
    known = await compare(Sides(10, 0), 200)
    assert (known.pairs, known.is_slower) == (200, False)
    assert max(known.legacy_p99_ms, known.fastpay_p99_ms) < 16
