"""Replays deliver a part of the log again, beside the live events and without touching their cursor."""

from collections.abc import Sequence

import pytest

from fastpay import limits
from fastpay.domain.identifiers import Scope
from fastpay.domain.webhook_endpoints import ReplayEvents
from fastpay.engine.event_ports import Occurrence
from fastpay.engine.relay import schedule
from fastpay.engine.relay.event_log import Form
from tests.relay.instances import Instance, attempts, cursor, fetch, instance, is_delivered, until
from tests.support.engine import make_tenant
from tests.support.receiver import Receiver

TYPE = "customer.created"


async def replayed(database_url: str, endpoint_id: str) -> int:
    """Return how many replays of an endpoint have not ended."""
    rows = await fetch(
        database_url,
        "select count(*) as left from webhook_replay r "
        "left join webhook_progress c using (webhook_endpoint_id) "
        "where (c.position is null or r.webhook_replay_id > c.replayed_id) and webhook_endpoint_id = $1",
        endpoint_id[-32:],
    )
    found: int = rows[0]["left"]
    return found


def rendering(one: Instance) -> list[int]:
    """Return how many events are rendered at a time from now on, a list that grows."""
    log, counts = one.relay._shared.log, list[int]()
    render = log._render

    async def count(scope: Scope, found: Sequence[Occurrence], form: Form) -> list[bytes]:
        counts.append(len(found))
        return await render(scope, found, form)

    log._render = count
    return counts


def numbers(receiver: Receiver, path: str) -> list[tuple[int, int]]:
    """Return what came at a path: the numbers of the events, and those before them."""
    return [
        (int(line["headers"]["fastpay-sequence"]), int(line["headers"]["fastpay-previous-sequence"]))
        for line in receiver.got(path)
    ]


async def test_a_range_is_delivered_again_with_the_same_bytes_and_numbers(
    database_url: str, receiver: Receiver
) -> None:
    scope = await make_tenant(database_url)
    async with instance(database_url) as one:
        endpoint = await one.endpoint(scope, f"{receiver.url}/range", TYPE)
        await one.make_events(scope, 20)
        await until(lambda: is_delivered(database_url, endpoint))
        first = numbers(receiver, "range")
        before = await cursor(database_url, endpoint)
        await one.do(ReplayEvents(id=endpoint, from_sequence=5, to_sequence=12), scope)
        await until(lambda: len(receiver.got("range")) >= 28)

        async def is_ended() -> bool:
            return await replayed(database_url, endpoint) == 0

        await until(is_ended)
        again = numbers(receiver, "range")[20:]
        assert sorted(again) == [pair for pair in sorted(first) if 5 <= pair[0] <= 12]
        after = await cursor(database_url, endpoint)
        assert after["position"] >= before["position"]
    bodies = {(line["headers"]["webhook-id"], line["body"]) for line in receiver.got("range")}
    assert len(bodies) == 20


async def test_one_event_is_attempted_once_whether_it_is_wanted_or_not(
    database_url: str, receiver: Receiver
) -> None:
    receiver.behave(single="500")
    scope = await make_tenant(database_url)
    async with instance(database_url) as one:
        endpoint = await one.endpoint(scope, f"{receiver.url}/single", "charge.*")
        await one.make_events(scope, 3)
        wanted = (await fetch(database_url, "select * from event where type = $1 order by sequence", TYPE))[1]
        number, event = wanted["sequence"], "evt_" + wanted["event_id"].hex
        replay = ReplayEvents(id=endpoint, from_sequence=number, to_sequence=number, event=event)
        await one.do(replay, scope)

        async def is_ended() -> bool:
            return await replayed(database_url, endpoint) == 0

        await until(is_ended)
        rows = await attempts(database_url, endpoint)
        assert [(row["sequence"], row["status"]) for row in rows] == [(number, 500)]
        assert (await cursor(database_url, endpoint))["delivered_through"] >= number


async def test_a_replay_gives_up_what_fails_three_times_and_goes_on(
    database_url: str, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schedule, "DELAYS_MS", (20,) * 9)
    scope = await make_tenant(database_url)
    async with instance(database_url) as one:
        endpoint = await one.endpoint(scope, f"{receiver.url}/thrice", TYPE)
        await one.make_events(scope, 1)
        await until(lambda: is_delivered(database_url, endpoint))
        receiver.behave(thrice="500")
        await one.do(ReplayEvents(id=endpoint, from_sequence=1), scope)

        async def is_ended() -> bool:
            return await replayed(database_url, endpoint) == 0

        await until(is_ended)
        assert [row["status"] for row in await attempts(database_url, endpoint)] == [200, 500, 500, 500]


async def test_a_replay_goes_on_at_the_next_instance(database_url: str, receiver: Receiver) -> None:
    scope = await make_tenant(database_url)
    async with instance(database_url) as one:
        endpoint = await one.endpoint(scope, f"{receiver.url}/onward", TYPE)
        await one.make_events(scope, 30)
        await until(lambda: is_delivered(database_url, endpoint))
        await one.relay.leave()
        await one.do(ReplayEvents(id=endpoint, from_sequence=1, types=("customer.*",)), scope)
        async with instance(database_url) as other:
            rendered = rendering(other)
            await until(lambda: len(receiver.got("onward")) >= 60)
    # Live deliveries wait while events are rendered, so a replay renders few at a time.
    assert rendered
    assert max(rendered) <= limits.relay_replay_page_events
    got = receiver.acknowledged("onward")
    assert sorted(got[:30]) == sorted(got[30:])
