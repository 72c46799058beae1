"""A wall clock that jumps moves no lease, loses nothing and repeats nothing. Old attempts are dropped."""

from typing import Any

import pytest

from fastpay import limits
from fastpay.clock import SystemClock
from fastpay.domain.identifiers import Scope, digits
from fastpay.engine.relay.ports import AttemptPage
from fastpay.errors import DatabaseUnavailable
from fastpay.store.relay import PostgresDeliveries
from tests.relay.instances import Instance, attempts, cursor, fetch, instance, is_delivered, until
from tests.support.database_clock import give_clock, move_clock
from tests.support.engine import make_tenant
from tests.support.receiver import Receiver

TYPE = "customer.created"
HOUR_MS = 3_600_000
DAY_HOURS = 24
PARTITIONS = "select count(*) as count from pg_inherits where inhparent = 'webhook_attempt'::regclass"


class JumpingClock(SystemClock):
    """A clock whose wall time a test moves."""

    ahead_ms = 0

    def now_ms(self) -> int:
        return super().now_ms() + self.ahead_ms


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let instances look at their leases often, and let none end because the machine is busy."""
    monkeypatch.setattr(limits, "relay_beat_ms", 100)
    monkeypatch.setattr(limits, "relay_lease_ms", 60_000)


@pytest.mark.usefixtures("hasty")
async def test_a_wall_clock_that_jumps_loses_and_repeats_nothing(
    database_url: str, receiver: Receiver
) -> None:
    clock, scope = JumpingClock(), await make_tenant(database_url)
    async with instance(database_url, clock=clock) as jumping, instance(database_url):
        paths = [f"jumps_{number}" for number in range(4)]
        endpoints = [await jumping.endpoint(scope, f"{receiver.url}/{path}", TYPE) for path in paths]
        await until(lambda: _is_shared(database_url))
        before = await _leases(database_url, endpoints)
        for ahead_ms in (0, HOUR_MS, 0, -HOUR_MS, 0):
            # Some are on their way meanwhile.
            await jumping.make_events(scope, 10)
            clock.ahead_ms = ahead_ms
            assert jumping.relay._may_send()
            await jumping.make_events(scope, 10)
            await until(lambda: is_delivered(database_url, *endpoints))
        assert await _leases(database_url, endpoints) == before
        assert jumping.relay.counts()["relay_fenced"] == 0
    for path in paths:
        got = receiver.acknowledged(path)
        assert (len(got), len(set(got)), len(receiver.got(path))) == (100, 100, 100)


async def test_the_end_of_a_lease_comes_though_the_wall_clock_goes_back(
    database_url: str, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, scope = JumpingClock(), await make_tenant(database_url)
    async with instance(database_url, clock=clock) as one:
        await one.endpoint(scope, f"{receiver.url}/goes_back", TYPE)
        await until(one.relay._may_send)
        monkeypatch.setattr(limits, "relay_lease_ms", 300)
        await one.relay.beat()
        monkeypatch.setattr(one.store, "beat", _stand_still)
        clock.ahead_ms = -HOUR_MS
        await until(lambda: not one.relay._may_send())


async def test_signatures_have_the_time_of_the_clock(database_url: str, receiver: Receiver) -> None:
    clock, scope = JumpingClock(), await make_tenant(database_url)
    async with instance(database_url, clock=clock) as one:
        endpoint = await one.endpoint(scope, f"{receiver.url}/signed_at", TYPE)
        for count, clock.ahead_ms in enumerate((HOUR_MS, -HOUR_MS), 1):
            from_s = clock.now_ms() // 1000
            await one.make_events(scope, 1)
            await until(lambda: is_delivered(database_url, endpoint))
            headers = receiver.got("signed_at")[count - 1]["headers"]
            signed_s = int(headers["webhook-timestamp"])
            assert from_s <= signed_s <= clock.now_ms() // 1000
            assert headers["stripe-signature"].startswith(f"t={signed_s},")


async def test_attempts_are_kept_for_their_days_and_lists_of_them_go_on(
    database_url: str, receiver: Receiver
) -> None:
    await give_clock(database_url)
    clock, scope = JumpingClock(), await make_tenant(database_url)
    async with instance(database_url, clock=clock) as one:
        endpoint = await one.endpoint(scope, f"{receiver.url}/days", TYPE)
        deliveries = PostgresDeliveries(one.engine.reads)

        async def pass_days(days: int) -> list[str]:
            """Let days pass, keep attempts for two, deliver one event, and return all attempts."""
            clock.ahead_ms = days * DAY_HOURS * HOUR_MS
            await move_clock(database_url, hours=days * DAY_HOURS)
            await one.store.make_partitions()
            await one.store.drop_partitions(retention_days=2)
            # An attempt belongs to the day of the relay's clock. The ledger commits at the real time only.
            await move_clock(database_url)
            await _make_one(one, scope, database_url, endpoint)
            listed = await deliveries.attempts(scope, endpoint, AttemptPage(limit=10))
            assert [attempt.digits for attempt in listed] == [
                row["attempt_id"].hex for row in reversed(await attempts(database_url, endpoint))
            ]
            return [attempt.digits for attempt in listed]

        (first,) = await pass_days(0)
        second, *kept = await pass_days(2)
        assert kept == [first]
        # Yesterday, today, and three days ahead: nobody waits for a new day's.
        third, *kept = await pass_days(3)
        assert kept == [second]
        for day in (2, 3, 4, 5, 6):
            assert await _has_partition(database_url, day)
        # A page below what was dropped is empty, and one above it begins with the oldest that is left.
        below = await deliveries.attempts(scope, endpoint, AttemptPage(limit=10, below=first))
        above = AttemptPage(limit=1, above=first, ascending=True)
        assert below == []
        assert {one.digits for one in await deliveries.attempts(scope, endpoint, above)} == {second, third}
        # However many days pass, there are no more than those.
        assert len(await pass_days(20)) == 1
        assert await fetch(database_url, PARTITIONS) == [{"count": 5}]


async def _make_one(one: Instance, scope: Scope, database_url: str, endpoint: str) -> None:
    before = len(await attempts(database_url, endpoint))
    await one.make_events(scope, 1)

    async def is_noted() -> bool:
        return len(await attempts(database_url, endpoint)) > before

    await until(is_noted)


async def _has_partition(database_url: str, days: int) -> bool:
    statement = (
        "select to_regclass('webhook_attempt_' || "
        "to_char((now() at time zone 'UTC')::date + $1::integer, 'YYYYMMDD')) is not null as is_there"
    )
    return bool((await fetch(database_url, statement, days))[0]["is_there"])


async def _is_shared(database_url: str) -> bool:
    held = await fetch(
        database_url,
        "select count(*) as held from webhook_progress where position is not null group by holder",
    )
    return [row["held"] for row in held] == [2, 2]


async def _leases(database_url: str, endpoints: list[str]) -> set[tuple[str, Any, int]]:
    states = [(one, await cursor(database_url, one)) for one in endpoints]
    return {(digits(one), state["holder"], state["fence"]) for one, state in states}


async def _stand_still(_: str) -> Any:
    raise DatabaseUnavailable("standing still")
