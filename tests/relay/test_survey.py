"""`fastpay doctor` tells how deliveries stand."""

from typing import Any

import pytest

from fastpay import limits
from fastpay.clock import SystemClock
from fastpay.domain.webhook_endpoints import UpdateEndpoint
from fastpay.operations import doctor
from fastpay.operations.findings import Finding
from fastpay.store.connections import connected
from fastpay.store.relay_survey import DeliverySurvey, survey_deliveries
from tests.relay.instances import cursor, instance, is_delivered, until
from tests.support.engine import make_tenant
from tests.support.receiver import Receiver


async def survey(database_url: str) -> DeliverySurvey:
    async with connected(database_url) as connection:
        return await survey_deliveries(connection)


async def finding(database_url: str) -> Finding:
    found = doctor.check_database(database_url, clock=SystemClock())
    (own,) = [one async for one in found if one.check == "webhooks"]
    return own


async def test_the_doctor_tells_of_failing_parked_late_and_abandoned_deliveries(
    database_url: str, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "relay_lease_ms", 60_000)
    scope = await make_tenant(database_url)
    assert (await finding(database_url)).seen == "no endpoint is enabled, 0 are disabled"
    receiver.behave(surveyed_bad="500")
    async with instance(database_url) as one:
        good, bad, off = [
            await one.endpoint(scope, f"{receiver.url}/surveyed_{name}", "customer.*")
            for name in ("good", "bad", "off")
        ]
        await one.do(UpdateEndpoint(id=off, disabled=True), scope)
        await until(lambda: is_delivered(database_url, good, bad))
        assert await survey(database_url) == DeliverySurvey(
            enabled=2, disabled=1, furthest_id=(await survey(database_url)).furthest_id
        )
        assert (await finding(database_url)).state == "good"
        reached = (await cursor(database_url, bad))["last"]
        await one.make_events(scope, 10)
        await until(lambda: is_delivered(database_url, good))

        async def is_failing() -> bool:
            found = await survey(database_url)
            return found.failing == 1 and found.parked >= limits.relay_circuit_failures

        await until(is_failing)
        found = await survey(database_url)
        assert (found.unheld, found.furthest_id) == (0, bad)
        # All ten, and the event that tells of the failures.
        assert found.lag_max in {10, 11}
        assert (await cursor(database_url, bad))["delivered_through"] == reached
        told = await finding(database_url)
        assert told.state == "note"
        assert f"numbers of the sequence behind ({bad})" in told.seen
        assert "webhooks attempts ENDPOINT --failed" in told.advice
        # A lease that has ended: nobody delivers any more.
        await one.die()
        monkeypatch.setattr(limits, "relay_lease_ms", 0)
        assert (await survey(database_url)).unheld == 2
        assert "start an instance" in (await finding(database_url)).advice


@pytest.mark.parametrize(
    ("found", "state"),
    [
        ({}, "good"),
        ({"lag_max": 9, "oldest_s": limits.webhook_delay_noted_s}, "good"),
        ({"lag_max": 9, "oldest_s": limits.webhook_delay_noted_s + 1}, "note"),
        ({"failing": 1}, "note"),
        ({"parked": 1}, "note"),
        ({"unheld": 1}, "note"),
    ],
)
async def test_only_what_an_operator_should_look_at_is_a_note(found: dict[str, Any], state: str) -> None:
    told = doctor.check_webhooks(DeliverySurvey(enabled=2, **found))
    assert (told.state, bool(told.advice)) == (state, state == "note")
