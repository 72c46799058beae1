"""Live setup intents with another fastpay as their processor, which keeps the cards."""

from typing import Any

import httpx
import pytest

from fastpay.operations.embedded import children
from tests.processors.conftest import Upstream, setup_order
from tests.processors.test_cardholders import act
from tests.processors.test_live_payments import DECLINED, PAY, UNASKED, Front, in_background
from tests.support.api import get, post
from tests.support.servers import PATIENCE_SECONDS, fetch

CARD = {name: value for name, value in PAY.items() if name.startswith("payment_method_data")}
SETUP = CARD | {"confirm": "true", "payment_method_types[0]": "card"}
NAMED = "payment_method_data[card][number]"
# The holder of this card is asked.
ASKS = "4000000000003220"


def set_up(http: httpx.Client, key: str = "setup", **more: str) -> httpx.Response:
    """Set a card up."""
    return http.post("/v1/setup_intents", data=SETUP | more, headers={"Idempotency-Key": key})


def attempts(front: Front) -> list[dict[str, Any]]:
    """Return all attempts."""
    with front.client() as http:
        listed: list[dict[str, Any]] = get(http, "/v1/attempts")["data"]
        return listed


def test_a_card_that_was_set_up_pays_while_its_holder_is_absent(front: Front) -> None:
    with front.client() as http:
        customer = post(http, "/v1/customers")["id"]
        first = set_up(http, customer=customer)
        setup = first.json()
        assert (setup["status"], setup["livemode"]) == ("succeeded", True), first.text
        assert set_up(http, customer=customer).content == first.content
        (attempt,) = attempts(front)
        assert (attempt["operation"], attempt["status"]) == ("setup", "approved")
        assert (attempt["amount"], attempt["in_doubt"], attempt["payment_intent"]) == (0, 0, None)
        assert attempt["setup_intent"] == setup["id"]
        # It is kept there once, and nothing was charged.
        (theirs,) = front.upstream.get("/v1/setup_intents").json()["data"]
        assert (theirs["status"], theirs["metadata"]["fastpay_reference"]) == ("succeeded", attempt["id"])
        assert front.charged() == []
        # Nobody sees what the processor calls the card.
        (row,) = fetch(front.server.database_url, "select processor, sealed from payment_method_token")
        shown_everywhere = http.get("/v1/events").text + front.server.output
        for secret in (theirs["payment_method"], theirs["customer"]):
            assert secret.encode() not in row["sealed"]
            assert secret not in shown_everywhere
        listed = get(http, f"/v1/customers/{customer}/payment_methods")["data"]
        assert [one["id"] for one in listed] == [setup["payment_method"]]
        saved = {"customer": customer, "payment_method": setup["payment_method"], "confirm": "true"}
        paid = post(http, "/v1/payment_intents", amount="700", currency="usd", off_session="true", **saved)
        assert (paid["status"], paid["amount_received"]) == ("succeeded", 700)
        assert len(front.charged()) == 1
        # What is kept can be set up again, and a setup that exists can be confirmed later.
        later = post(http, "/v1/setup_intents", customer=customer, payment_method=setup["payment_method"])
        assert post(http, f"/v1/setup_intents/{later['id']}/confirm")["status"] == "succeeded"
    front.check()


def test_a_card_that_the_processor_declines_is_not_saved(front: Front) -> None:
    with front.client() as http:
        customer = post(http, "/v1/customers")["id"]
        refused = set_up(http, customer=customer, **{NAMED: DECLINED})
        assert refused.status_code == 402, refused.text
        setup = refused.json()["error"]["setup_intent"]
        assert (setup["status"], refused.json()["error"]["code"]) == (
            "requires_payment_method",
            "card_declined",
        )
        assert get(http, f"/v1/customers/{customer}/payment_methods")["data"] == []
        (attempt,) = attempts(front)
        assert attempt["status"] == "declined"
    front.check()


@pytest.mark.parametrize("front", [UNASKED], ids=["client"], indirect=True)
@pytest.mark.parametrize(
    ("outcome", "status"), [("succeeded", "succeeded"), ("failed", "requires_payment_method")]
)
def test_a_setup_goes_on_as_its_cardholder_has_decided(front: Front, outcome: str, status: str) -> None:
    with front.client() as http:
        customer = post(http, "/v1/customers")["id"]
        setup = set_up(http, customer=customer, return_url="https://shop.example/", **{NAMED: ASKS}).json()
        assert setup["status"] == "requires_action", setup
        page = setup["next_action"]["redirect_to_url"]["url"]
        path = f"/v1/setup_intents/{setup['id']}"
        # Nothing else is attempted meanwhile, and only the processor asks its cardholder.
        assert http.post(f"{path}/confirm").json() == setup
        helper = http.post(f"/v1/test_helpers/setup_intents/{setup['id']}/authenticate")
        assert helper.status_code == 400
        act(page, outcome)
        assert http.post(f"{path}/confirm").json()["status"] == status
        assert len(attempts(front)) == 1
        kept = fetch(front.server.database_url, "select 1 from payment_method_token")
        assert len(kept) == (outcome == "succeeded")
    front.check()


def test_an_answer_that_is_lost_is_inquired_and_the_card_is_set_up_once(front: Front) -> None:
    with front.client() as http:
        customer = post(http, "/v1/customers")["id"]
        first = set_up(http, customer=customer).json()
        # One that is kept already takes one request, whose answer gets lost after the processor has acted.
        named = {"customer": customer, "payment_method": first["payment_method"]}
        later = post(http, "/v1/setup_intents", **named)
        path = f"/v1/setup_intents/{later['id']}"
        front.proxy.hold("answers")
        with in_background(lambda: http.post(f"{path}/confirm")):
            front.proxy.wait_reached()
            assert get(http, path)["status"] == "processing"
            front.proxy.drop()

        def has_ended() -> bool:
            return bool(get(http, path)["status"] != "processing")

        assert children.wait_until(has_ended, timeout_ms=PATIENCE_SECONDS * 1000), front.server.output
        assert get(http, path)["status"] == "succeeded"
        theirs = front.upstream.get("/v1/setup_intents").json()["data"]
        ours = {one["id"] for one in attempts(front)}
        assert len(theirs) == len(ours) == 2
        assert {one["metadata"]["fastpay_reference"] for one in theirs} == ours
    front.check()


async def test_a_processor_keeps_a_card_without_a_payment(fastpay_upstream: Upstream) -> None:
    order = setup_order()
    outcome = await fastpay_upstream.send(order)
    assert (outcome.status, outcome.amount) == ("approved", None)
    assert outcome.token is not None
    assert await fastpay_upstream.send(order) == outcome
    assert await fastpay_upstream.ask(order) == outcome
    # By its reference alone, since an answer may have been lost.
    missing = setup_order()
    early = await fastpay_upstream.ask(missing)
    assert early is not None
    assert early.status == "unknown"
    assert await fastpay_upstream.ask(missing, sent_s_ago=3, arrival_s=1) is None
    _, paid = await fastpay_upstream.authorized(card=None, token=outcome.token, amount=900)
    assert paid.amount == 900
