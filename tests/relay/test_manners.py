"""Whatever a receiver does, it gets everything in the end, and others do not wait for it."""

from functools import partial

import pytest

from fastpay import limits
from fastpay.domain.identifiers import Scope
from fastpay.engine.relay import schedule
from tests.relay.instances import Instance, attempts, cursor, fetch, instance, is_delivered, until
from tests.support.engine import make_tenant
from tests.support.receiver import Receiver

# What is stored of an attempt, by the manner of the receiver.
OUTCOMES = {
    "500": (500, None),
    "429": (429, None),
    "302": (302, None),
    "reset": (None, "cut_off"),
    "hang": (None, "timed_out"),
    "half": (None, "timed_out"),
    # There is always something to read: only the limit of the whole attempt ends it.
    "drip": (None, "timed_out"),
}


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no time pass before attempts that would be made later."""
    monkeypatch.setattr(schedule, "DELAYS_MS", (50,) * 9)
    monkeypatch.setattr(limits, "relay_probe_ms", 50)
    monkeypatch.setattr(limits, "relay_probe_max_ms", 100)


@pytest.mark.usefixtures("soon")
async def test_each_way_to_fail_is_noted_and_nothing_is_lost(database_url: str, receiver: Receiver) -> None:
    paths = {manner: f"fails_{manner}" for manner in OUTCOMES}
    receiver.behave(**{path: manner for manner, path in paths.items()}, fails_giant="giant")
    paths["giant"] = "fails_giant"
    scope = await make_tenant(database_url)
    # An attempt that hangs ends soon.
    async with instance(database_url, timeout_ms=500) as one:
        endpoints = {
            manner: await one.endpoint(scope, f"{receiver.url}/{path}", "customer.created")
            for manner, path in paths.items()
        }
        await one.make_events(scope, 3)
        for manner, outcome in OUTCOMES.items():
            # On a busy machine any attempt may time out as well.
            await until(partial(_is_noted, database_url, endpoints[manner], outcome))
            assert (await cursor(database_url, endpoints[manner]))["delivered_through"] <= len(paths)
        receiver.behave(**dict.fromkeys(paths.values(), "ok"))
        await until(lambda: is_delivered(database_url, *endpoints.values()))
        giant = [row for row in await attempts(database_url, endpoints["giant"]) if row["status"] == 200]
        assert len(giant) == 3
        assert max(len(row["excerpt"]) for row in giant) <= 1024
    for path in paths.values():
        bodies: dict[str, set[str]] = {}
        for line in receiver.got(path):
            bodies.setdefault(line["headers"]["webhook-id"], set()).add(line["body"])
        assert [len(same) for same in bodies.values()] == [1, 1, 1]


async def test_a_dead_endpoint_costs_a_few_attempts_and_delays_no_other(
    database_url: str, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    # However long this takes, it is not tried out meanwhile.
    monkeypatch.setattr(limits, "relay_probe_ms", 600_000)
    monkeypatch.setattr(limits, "relay_probe_max_ms", 600_000)
    receiver.behave(dead="500")
    scope = await make_tenant(database_url)
    async with instance(database_url) as one:
        dead = await one.endpoint(scope, f"{receiver.url}/dead", "customer.created")
        alive = await one.endpoint(scope, f"{receiver.url}/alive", "customer.created")
        for _ in range(5):
            await one.make_events(scope, 40)
        await until(lambda: is_delivered(database_url, alive))
        await until(lambda: _has_circuit(database_url, dead, failures=limits.relay_circuit_failures))
        assert len(receiver.acknowledged("alive")) == 200
        assert len(receiver.got("dead")) <= limits.relay_window_start + limits.relay_circuit_failures
        # The tenant is told, and the others are told nothing else.
        await until(lambda: _is_failing(one, scope, dead))
        assert (await one.configuration(scope, alive)).failing_since is None
        assert one.relay.counts()["relay_endpoints_failing"] == 1


async def test_an_answer_that_drips_delays_no_other_endpoint(database_url: str, receiver: Receiver) -> None:
    receiver.behave(drips="drip")
    scope = await make_tenant(database_url)
    async with instance(database_url) as one:
        drips = await one.endpoint(scope, f"{receiver.url}/drips", "customer.created")
        await one.make_events(scope, 40)
        await until(lambda: len(receiver.got("drips")) >= limits.relay_window_start)
        beside = await one.endpoint(scope, f"{receiver.url}/beside", "customer.created")
        await one.make_events(scope, 100)
        await until(lambda: is_delivered(database_url, beside))
        assert len(receiver.acknowledged("beside")) == 100
        # All this while not one of the dripping answers has ended.
        assert await attempts(database_url, drips) == []
        await one.die()


@pytest.mark.usefixtures("soon")
async def test_an_endpoint_that_works_again_is_told_everything_at_once(
    database_url: str, receiver: Receiver
) -> None:
    receiver.behave(again="500")
    scope = await make_tenant(database_url)
    async with instance(database_url) as one:
        endpoint = await one.endpoint(scope, f"{receiver.url}/again", "customer.created")
        await one.make_events(scope, 20)
        await until(lambda: _is_failing(one, scope, endpoint))
        receiver.behave(again="ok")
        await until(lambda: is_delivered(database_url, endpoint))

        async def is_recovered() -> bool:
            return (await one.configuration(scope, endpoint)).failing_since is None

        await until(is_recovered)
    types = await fetch(
        database_url, "select type from event where type like 'webhook_endpoint.%' order by sequence"
    )
    names = [row["type"].partition(".")[2] for row in types]
    assert names == ["created", "failing", "recovered"]


@pytest.mark.parametrize("reason", ["gone", "failing"])
async def test_an_endpoint_that_will_not_have_it_is_disabled(
    database_url: str, receiver: Receiver, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if reason == "failing":
        monkeypatch.setattr(limits, "relay_disable_ms", 0)
    receiver.behave(**{f"over_{reason}": "410" if reason == "gone" else "500"})
    scope = await make_tenant(database_url)
    async with instance(database_url) as one:
        endpoint = await one.endpoint(scope, f"{receiver.url}/over_{reason}", "customer.created")
        await one.make_events(scope, 1)

        async def is_disabled() -> bool:
            state = await cursor(database_url, endpoint)
            return (await one.configuration(scope, endpoint)).status == "disabled" and state["holder"] is None

        await until(is_disabled)
        stored = await one.configuration(scope, endpoint)
        assert (stored.disabled_reason, stored.status) == (reason, "disabled")
        # It loses nothing, and begins without a past when it is enabled again.
        state = await cursor(database_url, endpoint)
        assert state["delivered_through"] < state["last"]
        assert state["failures"] == 0


async def test_later_attempts_carry_the_same_event_and_a_higher_number(
    database_url: str, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schedule, "DELAYS_MS", (30,) * 9)
    receiver.behave(numbered="500")
    scope = await make_tenant(database_url)
    async with instance(database_url) as one:
        endpoint = await one.endpoint(scope, f"{receiver.url}/numbered", "customer.created")
        await one.make_events(scope, 1)
        await until(lambda: len(receiver.got("numbered")) >= 3)
        receiver.behave(numbered="ok")
        await until(lambda: is_delivered(database_url, endpoint))
        rows = await attempts(database_url, endpoint)
    assert [row["number"] for row in rows] == list(range(1, len(rows) + 1))
    assert len({(line["body"], line["headers"]["webhook-id"]) for line in receiver.got("numbered")}) == 1


@pytest.mark.usefixtures("soon")
async def test_a_strict_endpoint_gets_everything_in_order_though_some_fail(
    database_url: str, receiver: Receiver
) -> None:
    scope = await make_tenant(database_url)
    async with instance(database_url) as one:
        endpoint = await one.endpoint(scope, f"{receiver.url}/strict", "customer.created", order="strict")
        await one.make_events(scope, 10)
        await until(lambda: len(receiver.got("strict")) >= 3)
        receiver.behave(strict="500")
        await one.make_events(scope, 5)
        await until(lambda: any(not line["ok"] for line in receiver.got("strict")))
        receiver.behave(strict="ok")
        await until(lambda: is_delivered(database_url, endpoint))
    got = receiver.acknowledged("strict")
    assert got == sorted(set(got))
    assert len(got) == 15


async def _is_noted(database_url: str, endpoint_id: str, outcome: tuple[int | None, str | None]) -> bool:
    made = await attempts(database_url, endpoint_id)
    return outcome in [(row["status"], row["failure"]) for row in made]


async def _has_circuit(database_url: str, endpoint_id: str, *, failures: int) -> bool:
    return bool((await cursor(database_url, endpoint_id)).get("failures", 0) >= failures)


async def _is_failing(one: Instance, scope: Scope, endpoint_id: str) -> bool:
    stored = await one.configuration(scope, endpoint_id)
    return stored.failing_since is not None
