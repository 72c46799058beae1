"""Publishable keys and client secrets: what anybody may do with them, and nothing more."""

import pytest

from fastpay.api.app import ROUTES
from tests.unit.api.fakes import PUBLISHABLE, SECRET, Api

ABSENT = "0199e9b7e0007abc8def012345678901"


@pytest.fixture
def api() -> Api:
    return Api()


def test_a_publishable_key_reaches_only_what_a_client_secret_protects(api: Api) -> None:
    intent = api.post("/v1/payment_intents", "amount=2000&currency=usd&metadata[order]=7")
    setup = api.post("/v1/setup_intents", "metadata[order]=7")
    public = {
        ("GET", "/v1/payment_intents/{id}"),
        ("POST", "/v1/payment_intents/{id}/confirm"),
        ("POST", "/v1/payment_methods"),
        ("POST", "/v1/tokens"),
        ("GET", "/v1/setup_intents/{id}"),
        ("POST", "/v1/setup_intents/{id}/confirm"),
    }
    for route in ROUTES:
        own = setup if "setup_intents" in route.path else intent
        others = {
            "payment_method": f"pm_{ABSENT}",
            "reversal": "x",
            "refund": "x",
            "row": "x",
            "attempt": "x",
            "transaction": "x",
            "source": f"card_{ABSENT}",
        }
        path = route.path.format(id=own["id"], charge=f"ch_{ABSENT}", **others)
        status = api.send(route.method, path, key=PUBLISHABLE).status_code
        assert status == (400 if (route.method, route.path) in public else 403), route
    for name, own in (("payment_intents", intent), ("setup_intents", setup)):
        secret = own["client_secret"]
        path = f"/v1/{name}/{own['id']}"
        shown = api.get(f"{path}?client_secret={secret}", key=PUBLISHABLE)
        assert shown["id"] == own["id"]
        assert not {"customer", "metadata"} & shown.keys()
        confirmed = api.post(
            f"{path}/confirm", f"client_secret={secret}&payment_method=pm_card_visa", key=PUBLISHABLE
        )
        assert confirmed["status"] == "succeeded"


@pytest.mark.parametrize(
    ("name", "form"), [("payment_intents", "amount=2000&currency=usd&"), ("setup_intents", "")]
)
def test_a_wrong_client_secret_is_answered_like_a_missing_object(api: Api, name: str, form: str) -> None:
    intent = api.post(f"/v1/{name}", f"{form}payment_method=pm_card_visa")
    absent = f"{intent['id'].partition('_')[0]}_{ABSENT}"
    path = f"/v1/{name}/{intent['id']}"
    for key in (PUBLISHABLE, SECRET):
        for response in (
            api.send("GET", f"{path}?client_secret=wrong", key=key),
            api.send("POST", f"{path}/confirm", "client_secret=wrong", key=key),
        ):
            assert response.status_code == 404
            missing = api.send("GET", f"/v1/{name}/{absent}")
            assert response.content == missing.content.replace(absent.encode(), intent["id"].encode())
    assert api.get(path)["status"] == "requires_confirmation"


@pytest.mark.parametrize("form", ["off_session=true", "expand[]=customer", "error_on_requires_action=true"])
def test_a_publishable_key_does_not_decide_in_the_merchants_stead(api: Api, form: str) -> None:
    intent = api.post("/v1/payment_intents", "amount=2000&currency=usd&payment_method=pm_card_visa")
    form = f"client_secret={intent['client_secret']}&{form}"
    error = api.refused("POST", f"/v1/payment_intents/{intent['id']}/confirm", form, key=PUBLISHABLE)
    assert error["status"] == 403


def test_a_publishable_key_does_not_confirm_what_the_merchant_confirms_by_hand(api: Api) -> None:
    intent = api.post("/v1/payment_intents", "amount=2000&currency=usd&confirmation_method=manual")
    path, form = f"/v1/payment_intents/{intent['id']}/confirm", "payment_method=pm_card_visa"
    secret = f"&client_secret={intent['client_secret']}"
    error = api.refused("POST", path, form + secret, key=PUBLISHABLE)
    assert (error["status"], error["code"]) == (403, "secret_key_required")
    assert api.post(path, form)["status"] == "succeeded"
