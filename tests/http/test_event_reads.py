"""What reads of events ask of the database: no more than those of charges."""

from typing import Any

import pytest

from fastpay.store.reads import PostgresReads
from tests.http.instances import FORM, PAY, Instance, running


class Statements:
    """How many statements are sent to read something."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.sent: list[str] = []
        again_if_lost = PostgresReads._again_if_lost

        async def count(reads: PostgresReads, run: Any) -> Any:
            self.sent.append(run.__qualname__)
            return await again_if_lost(reads, run)

        monkeypatch.setattr(PostgresReads, "_again_if_lost", count)

    async def of(self, instance: Instance, path: str, **query: str) -> tuple[int, Any]:
        """Return how many one GET takes, and what it shows."""
        before = len(self.sent)
        answer = await instance.send("GET", path, params=query)
        assert answer.status_code == 200, answer.text
        return len(self.sent) - before, answer.json()


@pytest.mark.parametrize("endpoints", [0, 2])
async def test_a_page_of_events_takes_one_statement_as_one_of_charges_does(
    database_url: str, monkeypatch: pytest.MonkeyPatch, endpoints: int
) -> None:
    async with running(database_url) as instance:
        for _ in range(endpoints):
            await instance.post("/v1/webhook_endpoints", "url=https://a.example&enabled_events[]=charge.*")
        await instance.post("/v1/payment_intents", PAY)
        statements = Statements(monkeypatch)
        assert (await statements.of(instance, "/v1/charges"))[0] == 1
        for query in ({}, {"after_sequence": "0"}):
            count, page = await statements.of(instance, "/v1/events", **query)
            assert count == 1
            pending = {event["type"]: event["pending_webhooks"] for event in page["data"]}
            assert pending["charge.succeeded"] == endpoints
            assert pending["payment_intent.succeeded"] == 0


async def test_an_event_is_read_by_one_statement_and_then_shown_from_the_cache(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(database_url) as instance:
        await instance.post("/v1/payment_intents", PAY)
        (event, *_) = (await instance.send("GET", "/v1/events")).json()["data"]
        path = f"/v1/events/{event['id']}"
        statements = Statements(monkeypatch)
        assert await statements.of(instance, path) == (1, event)
        before = instance.answered
        for _ in range(3):
            assert await statements.of(instance, path) == (0, event)
        assert instance.answered == before + 3
        # As the cursor of a page, too.
        count, _ = await statements.of(instance, "/v1/events", starting_after=event["id"])
        assert count == 1


async def test_an_endpoint_from_the_beginning_makes_cached_events_pending_at_once(database_url: str) -> None:
    async with running(database_url) as instance:
        paths = await instance.make_objects()
        shown = [(await instance.send("GET", paths[-1])).json() for _ in range(2)]
        assert [event["pending_webhooks"] for event in shown] == [0, 0]
        form = "url=https://a.example&enabled_events[]=*&fastpay[start_after_sequence]=0"
        endpoint = await instance.post("/v1/webhook_endpoints", form)
        assert (await instance.send("GET", paths[-1])).json() == shown[0] | {"pending_webhooks": 1}
        await instance.send("DELETE", f"/v1/webhook_endpoints/{endpoint['id']}")
        assert (await instance.send("GET", paths[-1])).json() == shown[0]


async def test_an_event_with_an_object_that_is_read_for_it_is_rendered_once(database_url: str) -> None:
    declined = PAY.replace("pm_card_visa", "pm_card_chargeDeclined")
    async with running(database_url) as instance:
        await instance.send("POST", "/v1/payment_intents", headers=FORM, content=declined)
        query = {"type": "payment_intent.payment_failed"}
        (event,) = (await instance.send("GET", "/v1/events", params=query)).json()["data"]
        assert event["data"]["object"]["last_payment_error"]["payment_method"]["object"] == "payment_method"
        long, short = await instance.get_both(f"/v1/events/{event['id']}")
        assert long.json() == short.json() == event
