"""A server that takes no card numbers: each parameter for one is refused, and tokens are taken."""

import msgspec
import pytest

from fastpay.api.app import ROUTES, create_app
from fastpay.api.card_params import CardParams
from fastpay.api.context import Settings
from tests.unit.api.fakes import LIVE, PUBLISHABLE, SECRET, Api

NUMBER = "4242424242424242"
CARD = {"number": NUMBER, "exp_month": "12", "exp_year": "2034", "cvc": "123"}
PAYMENT = "amount=5&currency=usd&payment_method_types[]=card"
# Where card data goes, by route: the parameter around the card, and what else is needed.
PLACES = {
    "/v1/payment_intents": ("payment_method_data[card]", f"{PAYMENT}&payment_method_data[type]=card"),
    "/v1/payment_intents/{id}": ("payment_method_data[card]", "payment_method_data[type]=card"),
    "/v1/payment_intents/{id}/confirm": ("payment_method_data[card]", "payment_method_data[type]=card"),
    "/v1/payment_methods": ("card", "type=card"),
    "/v1/setup_intents": ("payment_method_data[card]", "payment_method_data[type]=card"),
    "/v1/setup_intents/{id}": ("payment_method_data[card]", "payment_method_data[type]=card"),
    "/v1/setup_intents/{id}/confirm": ("payment_method_data[card]", "payment_method_data[type]=card"),
    "/v1/test_helpers/confirmation_tokens": ("payment_method_data[card]", "payment_method_data[type]=card"),
    "/v1/tokens": ("card", ""),
}


@pytest.fixture(scope="module")
def api() -> Api:
    made = Api()
    services = msgspec.structs.replace(made.services, settings=Settings(takes_card_numbers=False))
    made.app = create_app(services)
    return made


def takes_a_card(kind: object) -> bool:
    """Tell whether a type is one of a card, or has one inside."""
    for part in getattr(kind, "__args__", (kind,)):
        if isinstance(part, type) and issubclass(part, msgspec.Struct):
            if issubclass(part, CardParams):
                return True
            if any(takes_a_card(field.type) for field in msgspec.structs.fields(part)):
                return True
    return False


def test_each_parameter_for_a_card_has_its_place_here() -> None:
    found = {route.path for route in ROUTES if takes_a_card(route.endpoint.contract.params)}
    assert found == set(PLACES)


# There are no helpers in live mode.
@pytest.mark.parametrize(
    ("path", "key"),
    [(path, key) for path in PLACES for key in (SECRET, LIVE) if key == SECRET or "helpers" not in path],
)
def test_no_number_is_taken(api: Api, path: str, key: str) -> None:
    param, rest = PLACES[path]
    if "{id}" in path:
        made = api.post(path.partition("/{id}")[0], PAYMENT if "payment_intents" in path else "", key=key)
        path = path.replace("{id}", made["id"])
    before = len(api.engine.submissions)
    card = "&".join(f"{param}[{name}]={value}" for name, value in CARD.items())
    error = api.refused("POST", path, f"{rest}&{card}", key=key)
    assert (error["status"], error["type"]) == (400, "invalid_request_error"), error
    assert (error["code"], error["param"]) == ("raw_card_number_not_allowed", f"{param}[number]")
    assert NUMBER not in str(error)
    assert len(api.engine.submissions) == before


def test_a_browser_may_not_send_one_either(api: Api) -> None:
    card = "&".join(f"card[{name}]={value}" for name, value in CARD.items())
    error = api.refused("POST", "/v1/tokens", card, key=PUBLISHABLE)
    assert error["code"] == "raw_card_number_not_allowed"


def test_payment_methods_and_tokens_are_taken(api: Api) -> None:
    assert api.pay()["status"] == "succeeded"
    method = api.post("/v1/payment_methods", "type=card&card[token]=tok_visa")
    assert method["card"]["last4"] == "4242"
