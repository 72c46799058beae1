"""A writer that fails by a fault of ours: requests and /readyz get 503, and never silence."""

import pytest

from fastpay.engine.write.loop import BatchLoop
from tests.http.instances import FORM, PAY, running


async def test_a_writer_that_has_failed_answers_503_and_is_not_ready(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def faulty(_: BatchLoop) -> None:
        raise ZeroDivisionError

    async with running(database_url) as instance:
        assert (await instance.client.get("/readyz")).status_code == 200
        monkeypatch.setattr(BatchLoop, "_take", faulty)
        for _ in range(2):
            answer = await instance.send("POST", "/v1/payment_intents", headers=FORM, content=PAY)
            assert (answer.status_code, answer.json()["error"]["code"]) == (503, "writer_stopped")
            assert answer.headers["stripe-should-retry"] == "true"
        readiness = await instance.client.get("/readyz")
        assert (readiness.status_code, readiness.json()["error"]["code"]) == (503, "writer_stopped")
