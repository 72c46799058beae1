"""What reads of events ask of the database: no more than those of charges."""

from typing import Any

import pytest

from fastpay.store.reads import PostgresReads
from tests.http.instances import PAY, Instance, running

pytestmark = pytest.mark.anyio


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
