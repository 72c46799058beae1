"""Cards that a processor keeps: later live payments go there by its token, which nobody else ever sees."""

from typing import Any

import msgspec
import pytest

from tests.processors.conftest import Upstream, authorization
from tests.processors.test_cardholders import CHALLENGED, act
from tests.processors.test_live_payments import PAY, UNASKED, Front, pay
from tests.support.api import get, post
from tests.support.servers import execute, fetch

# A card whose cardholder is asked until it is set up.
ASKS_ONCE = CHALLENGED | {"payment_method_data[card][number]": "4000002500003155"}
AGAIN = {"amount": "700", "currency": "usd", "confirm": "true", "off_session": "true"}


def save(front: Front, http: Any) -> tuple[str, str]:
    """Pay and save the card, and return the customer and the payment method."""
    customer = post(http, "/v1/customers")["id"]
    paid = pay(http, customer=customer, setup_future_usage="off_session").json()
    assert paid["status"] == "succeeded", paid
    return customer, paid["payment_method"]


def test_a_saved_card_pays_again_where_it_is_kept(front: Front) -> None:
    with front.client() as http:
        customer, method = save(front, http)
        listed = get(http, f"/v1/customers/{customer}/payment_methods")["data"]
        assert [one["id"] for one in listed] == [method]
        again = post(http, "/v1/payment_intents", customer=customer, payment_method=method, **AGAIN)
        assert (again["status"], again["amount_received"]) == ("succeeded", 700)
        # Also one that was not confirmed at once.
        made = {"customer": customer, "payment_method": method, "amount": "800", "currency": "usd"}
        later = post(http, "/v1/payment_intents", **made)
        assert post(http, f"/v1/payment_intents/{later['id']}/confirm")["status"] == "succeeded"
        theirs = front.upstream.get("/v1/payment_intents").json()["data"]
        assert [one["amount"] for one in theirs] == [800, 700, 2000]
        ((token, owner),) = {(one["payment_method"], one["customer"]) for one in theirs}
        # Nobody sees what the processor calls the card.
        url = front.server.database_url
        (row,) = fetch(url, "select processor, sealed from payment_method_token")
        assert row["processor"] == "acquirer"
        events = http.get("/v1/events", params={"limit": "100"}).text
        shown = http.get(f"/v1/payment_methods/{method}").text + events + front.server.output
        for secret in (token, owner):
            assert secret.encode() not in row["sealed"]
            assert secret not in shown
        for table in ("object_version", "event", "attempt", "payment_method"):
            rows = fetch(url, f"select row_to_json({table})::text as text from {table}")
            assert not any(secret in row["text"] for row in rows for secret in (token, owner))
        # A token is of one processor: nobody else is asked.
        execute(url, "update processor set enabled = false, is_default = false")
        refused = http.post(
            "/v1/payment_intents", data=AGAIN | {"customer": customer, "payment_method": method}
        )
        while refused.status_code == 200:
            refused = http.post(
                "/v1/payment_intents", data=AGAIN | {"customer": customer, "payment_method": method}
            )
        assert refused.json()["error"]["code"] == "payment_method_unexpected_state"
    front.check()


@pytest.mark.parametrize(
    ("front", "found_by"), [(UNASKED, "a client"), ({}, "the janitor")], indirect=["front"]
)
def test_a_card_is_kept_once_its_cardholder_has_authenticated(front: Front, found_by: str) -> None:
    with front.client() as http:
        customer = post(http, "/v1/customers")["id"]
        begun = pay(http, customer=customer, setup_future_usage="off_session", **ASKS_ONCE).json()
        assert begun["status"] == "requires_action", begun
        assert fetch(front.server.database_url, "select 1 from payment_method_token") == []
        act(begun["next_action"]["redirect_to_url"]["url"], "succeeded")
        if found_by == "a client":
            paid = post(http, f"/v1/payment_intents/{begun['id']}/confirm")
        else:
            paid = front.wait_ended(after=("requires_action",))
        assert paid["status"] == "succeeded"
        method = paid["payment_method"]
        again = post(http, "/v1/payment_intents", customer=customer, payment_method=method, **AGAIN)
        assert again["status"] == "succeeded"
    front.check()


def test_a_card_that_was_not_saved_has_no_token(front: Front) -> None:
    with front.client() as http:
        assert pay(http).json()["status"] == "succeeded"
        assert fetch(front.server.database_url, "select 1 from payment_method_token") == []
        assert PAY["confirm"] == "true"


async def test_a_processor_keeps_a_card_and_charges_it_again(upstream: Upstream) -> None:
    order, outcome = await upstream.authorized(saves=True)
    assert outcome.token is not None
    assert await upstream.ask(order) == outcome
    again, paid = await upstream.authorized(card=None, token=outcome.token, amount=900)
    assert (paid.amount, paid.is_captured) == (900, True)
    assert await upstream.ask(again) == paid
    plain = authorization()
    assert (await upstream.send(plain)).token is None
    wrong = msgspec.structs.replace(authorization(card=None), token="pm_nobody")
    assert (await upstream.send(wrong)).status in {"refused", "declined"}
