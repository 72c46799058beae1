"""Payments that wait for their cardholder, who authenticates on the page of another fastpay."""

from typing import Any

import httpx
import pytest

from tests.processors.test_live_payments import UNASKED, Front, pay
from tests.support.api import TRUST

CHALLENGED = {
    "payment_method_data[card][number]": "4000000000003220",
    "return_url": "https://shop.example/back",
}


def waiting(front: Front, http: httpx.Client) -> tuple[dict[str, Any], str]:
    """Return a payment that waits for its cardholder, and the page of the upstream."""
    begun = pay(http, **CHALLENGED)
    payment = begun.json()
    assert payment["status"] == "requires_action", begun.text
    redirect = payment["next_action"]["redirect_to_url"]
    assert redirect["return_url"] == CHALLENGED["return_url"]
    assert redirect["url"].startswith(f"{front.proxy.url}/authenticate/")
    assert pay(http, **CHALLENGED).content == begun.content
    (attempt,) = front.attempts(payment)
    assert (attempt["status"], attempt["in_doubt"]) == ("open", 2000)
    return payment, redirect["url"]


def act(page: str, outcome: str) -> None:
    """Do what the cardholder's browser does."""
    answered = httpx.post(page, data={"outcome": outcome}, trust_env=False, verify=TRUST)
    assert answered.status_code == 303, answered.text


@pytest.mark.parametrize("front", [UNASKED], ids=["client"], indirect=True)
@pytest.mark.parametrize(
    ("outcome", "status", "received"),
    [("succeeded", "succeeded", 2000), ("failed", "requires_payment_method", 0)],
)
def test_a_payment_goes_on_as_its_cardholder_has_decided(
    front: Front, outcome: str, status: str, received: int
) -> None:
    with front.client() as http:
        payment, page = waiting(front, http)
        path = f"/v1/payment_intents/{payment['id']}"
        # Nothing else is attempted meanwhile, and nothing that the cardholder has seen changes.
        assert http.post(f"{path}/confirm").json() == payment
        assert http.post(path, data={"amount": "1"}).status_code == 400
        act(page, outcome)
        ended = http.post(f"{path}/confirm").json()
        assert (ended["status"], ended["amount_received"]) == (status, received)
        assert len(front.attempts(payment)) == 1
    assert len(front.charged()) == (outcome == "succeeded")
    front.check()


def test_what_the_cardholder_does_is_found_without_a_client(front: Front) -> None:
    with front.client() as http:
        payment, page = waiting(front, http)
        act(page, "succeeded")
        assert front.wait_ended(after=("requires_action",))["id"] == payment["id"]
        assert front.wait_status() == "succeeded"
    front.check()


def test_a_payment_that_waits_is_canceled_once_its_processor_has_ended_it(front: Front) -> None:
    with front.client() as http:
        payment, page = waiting(front, http)
        path = f"/v1/payment_intents/{payment['id']}/cancel"
        canceled = http.post(path).json()
        assert canceled["status"] == "canceled"
        act(page, "succeeded")
        (theirs,) = front.upstream.get("/v1/payment_intents").json()["data"]
        assert theirs["status"] == "canceled"
        (attempt,) = front.attempts(payment)
        assert (attempt["status"], attempt["in_doubt"]) == ("not_found", 0)
    front.check()


def test_without_a_way_back_a_card_that_needs_its_cardholder_is_declined(front: Front) -> None:
    with front.client() as http:
        for more in ({"return_url": ""}, {"off_session": "true"}, {"error_on_requires_action": "true"}):
            fields = {name: value for name, value in (CHALLENGED | more).items() if value}
            error = pay(http, key=str(more), **fields).json()["error"]
            assert error["code"] == "authentication_required"
    front.check()
