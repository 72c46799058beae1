"""Who is sent away before anything is done for him, and who says how long he waits."""

import pytest

from fastpay.errors import Overloaded
from tests.unit.api.fakes import Api, error_of

PAYMENT = "amount=1000&currency=usd"


def test_an_overloaded_writer_is_heard_before_the_body_is_decoded() -> None:
    api = Api()
    api.engine.overloaded = Overloaded("Later.")
    reply = api.send("POST", "/v1/payment_intents", "this is &no=body[", headers={"Idempotency-Key": "k"})
    assert (reply.status_code, reply.json()["error"]["code"]) == (503, "overloaded")
    assert (reply.headers["stripe-should-retry"], reply.headers["retry-after"]) == ("true", "1")
    assert api.engine.submissions == []


def test_a_client_says_in_milliseconds_how_long_it_waits() -> None:
    api = Api()
    api.send("POST", "/v1/payment_intents", PAYMENT, headers={"Fastpay-Timeout-Ms": "250"})
    api.send("POST", "/v1/payment_intents", PAYMENT)
    limited, unlimited = api.engine.submissions
    assert limited.deadline_ns == api.clock.monotonic_ns() + 250_000_000
    assert unlimited.deadline_ns is None


@pytest.mark.parametrize("header", ["0", "-1", "1.5", "", " ", "1e3", "99999999999", "+1", "1 2"])
def test_a_timeout_that_is_none_is_refused(header: str) -> None:
    api = Api()
    reply = api.send("POST", "/v1/payment_intents", PAYMENT, headers={"Fastpay-Timeout-Ms": header})
    assert reply.status_code == 400
    assert "Fastpay-Timeout-Ms" in reply.json()["error"]["message"]
    assert api.engine.submissions == []


def test_while_the_time_is_in_doubt_writes_are_refused_and_reads_answered() -> None:
    api = Api()
    paid = api.pay()
    api.identifiers.suspend("The clocks disagree.")
    refused = [
        api.send("POST", "/v1/customers", ""),
        api.send("POST", "/v1/payment_intents", "amount=100&currency=usd"),
        api.send("GET", "/readyz", key=None),
    ]
    for response in refused:
        assert response.status_code == 503
        assert error_of(response)["code"] == "clock_skewed"
        assert response.headers["stripe-should-retry"] == "true"
        assert response.headers["retry-after"] == "1"
    assert len(api.engine.submissions) == 1
    assert api.get(f"/v1/payment_intents/{paid['id']}") == paid
    assert api.send("GET", "/healthz", key=None).status_code == 200
    api.identifiers.resume()
    assert api.send("GET", "/readyz", key=None).status_code == 200
    api.pay()
