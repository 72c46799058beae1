"""Every object in every state: the dialect's keys and types, and the facts of the snapshot."""

import re
from typing import Any

import msgspec
import pytest

from fastpay.api.app import RESOURCES
from fastpay.domain.cards import BEHAVIOURS
from fastpay.domain.objects import Charge, PaymentIntent, Refund, StoredObject
from tests.support import samples
from tests.support.dialect import class_of, example, missing_keys, violations
from tests.support.samples import captured_charge, charge, customer, payment_intent
from tests.support.states import STATES

every_state = pytest.mark.parametrize("stored", STATES.values(), ids=STATES.keys())


def name_of(stored: StoredObject) -> str:
    """Return what the dialect calls the object: payment_method for a PaymentMethod."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", type(stored).__name__).lower()


def whole(stored: StoredObject) -> dict[str, object]:
    """Render, with the one object in it that is always shown whole."""
    rendered = RESOURCES.render(stored, False)
    for name in ("last_payment_error", "last_setup_error", "setup_error"):
        error = rendered.get(name)
        if isinstance(error, dict):
            method = RESOURCES.render(samples.payment_method(), False)
            rendered[name] = {**error, "payment_method": method}
    return rendered


def part(value: object, *names: str) -> Any:
    for name in names:
        assert isinstance(value, dict)
        value = value[name]
    return value


@every_state
def test_every_key_of_the_published_example_is_there(stored: StoredObject) -> None:
    assert missing_keys(RESOURCES.render(stored, False), example(name_of(stored))) == []


@every_state
def test_the_annotations_of_the_sdk_hold(stored: StoredObject) -> None:
    stripe_class = class_of(name_of(stored))
    assert stripe_class is not None
    assert violations(whole(stored), stripe_class) == []


@every_state
def test_the_identifier_and_the_name_of_the_kind_come_first(stored: StoredObject) -> None:
    rendered = RESOURCES.render(stored, False)
    assert list(rendered.items())[:2] == [("id", stored.id), ("object", name_of(stored))]


@every_state
def test_the_same_snapshot_gives_the_same_bytes(stored: StoredObject) -> None:
    snapshot = msgspec.msgpack.encode(stored)
    again = msgspec.msgpack.decode(snapshot, type=type(stored))
    assert msgspec.json.encode(RESOURCES.render(again, False)) == msgspec.json.encode(
        RESOURCES.render(stored, False)
    )


@every_state
def test_the_keys_come_in_one_order_whatever_the_state(stored: StoredObject) -> None:
    others = [RESOURCES.render(other, True) for other in STATES.values() if type(other) is type(stored)]
    assert all(list(other) == list(RESOURCES.render(stored, False)) for other in others)


@every_state
def test_the_mode_is_shown_where_the_dialect_shows_it(stored: StoredObject) -> None:
    shown = None if isinstance(stored, Refund) else True
    assert RESOURCES.render(stored, True).get("livemode") is shown


@every_state
def test_nothing_tells_what_a_test_card_will_do(stored: StoredObject) -> None:
    text = msgspec.json.encode(RESOURCES.render(stored, False)).decode()
    assert "behaviour" not in text
    assert "bypass_pending" not in text


def test_a_deleted_customer_keeps_nothing_but_its_name() -> None:
    deleted = RESOURCES.render(customer(deleted=True), False)
    assert deleted == {"id": samples.CUSTOMER_ID, "object": "customer", "deleted": True}


def test_what_is_known_of_a_customer_is_shown() -> None:
    rendered = RESOURCES.render(STATES["a full customer"], False)
    assert rendered["email"] == "a@example.com"
    assert rendered["preferred_locales"] == ["de", "fr"]
    assert part(rendered, "address", "city") == "Bern"
    assert part(rendered, "shipping", "tracking_number") == "T2"
    assert part(rendered, "invoice_settings", "default_payment_method") == samples.METHOD_ID
    assert rendered["metadata"] == {"order": "1"}


def test_a_card_is_shown_by_brand_and_last_digits() -> None:
    card = part(RESOURCES.render(samples.payment_method(), False), "card")
    assert (card["brand"], card["last4"], card["exp_year"]) == ("visa", "4242", 2034)
    assert card["checks"]["cvc_check"] == "pass"
    assert card["networks"] == {"available": ["visa"], "preferred": None}


def test_a_brand_may_be_displayed_under_another_name() -> None:
    card = msgspec.structs.replace(samples.CARD, brand="amex")
    rendered = part(RESOURCES.render(samples.payment_method(card=card), False), "card")
    assert (rendered["brand"], rendered["display_brand"]) == ("amex", "american_express")


@pytest.mark.parametrize(
    "name", [name for name, stored in STATES.items() if isinstance(stored, PaymentIntent)]
)
def test_an_action_is_asked_for_only_in_the_state_that_requires_it(name: str) -> None:
    rendered = RESOURCES.render(STATES[name], False)
    assert (rendered["next_action"] is not None) == (rendered["status"] == "requires_action")


def test_the_cardholder_is_redirected_where_there_is_a_way_back() -> None:
    action = RESOURCES.render(STATES["an intent waiting for a redirect"], False)["next_action"]
    assert part(action, "type") == "redirect_to_url"
    assert part(action, "redirect_to_url", "return_url") == "https://example.com/back"
    assert part(action, "redirect_to_url", "url") == "https://pay.example/authenticate/token"


def test_the_cardholder_is_left_to_the_sdk_where_there_is_no_way_back() -> None:
    action = RESOURCES.render(STATES["an intent waiting for the cardholder"], False)["next_action"]
    assert action == {"type": "use_stripe_sdk", "use_stripe_sdk": {}}


def test_the_last_error_of_a_payment_tells_why_and_with_what() -> None:
    assert RESOURCES.render(STATES["a declined intent"], False)["last_payment_error"] == {
        "charge": samples.CHARGE_ID,
        "code": "card_declined",
        "decline_code": "generic_decline",
        "doc_url": None,
        "message": "Your card was declined.",
        "param": None,
        "payment_method": samples.METHOD_ID,
        "request_log_url": None,
        "type": "card_error",
    }


@pytest.mark.parametrize("types", [("card",), ("sepa_debit",), ("customer_balance",), ("sepa_debit", "card")])
@pytest.mark.parametrize("name", ["payment_intent", "setup_intent"])
def test_only_options_of_methods_that_are_taken_are_shown(name: str, types: tuple[str, ...]) -> None:
    made = getattr(samples, name)(payment_method_types=types)
    options = part(RESOURCES.render(made, False), "payment_method_options")
    # What only payments take has no options where something is set up.
    shown = set(types) - ({"customer_balance"} if name == "setup_intent" else set())
    assert set(options) == shown
    if "card" in types:
        assert options["card"]["request_three_d_secure"] == "automatic"


@pytest.mark.parametrize(
    ("changes", "shown"),
    [
        ({}, {"allow_redirects": "always", "enabled": True}),
        ({"allow_redirects": "never"}, {"allow_redirects": "never", "enabled": True}),
        ({"automatic_payment_methods": False}, None),
    ],
)
def test_automatic_payment_methods_are_shown_as_chosen(changes: dict[str, Any], shown: object) -> None:
    assert RESOURCES.render(payment_intent(**changes), False)["automatic_payment_methods"] == shown


@pytest.mark.parametrize(
    ("stored", "refunded", "amount_refunded"),
    [
        (charge(), False, 0),
        (charge("failed"), False, 0),
        (charge(hold=samples.TRANSFER_ID, released=True), True, 2000),
        (captured_charge(), False, 0),
        (captured_charge(amount_captured=1500), False, 0),
        (captured_charge(amount_refunded=1999), False, 1999),
        (captured_charge(amount_refunded=2000), True, 2000),
        (captured_charge(amount_captured=1500, amount_refunded=1500), True, 1500),
    ],
)
def test_a_charge_is_refunded_when_nothing_of_it_is_left(
    stored: Charge, refunded: bool, amount_refunded: int
) -> None:
    rendered = RESOURCES.render(stored, False)
    assert (rendered["refunded"], rendered["amount_refunded"]) == (refunded, amount_refunded)


def test_the_refunds_of_a_charge_are_not_shown_unless_asked() -> None:
    assert RESOURCES.render(captured_charge(amount_refunded=500), False)["refunds"] is None


def test_an_authorization_says_until_when_it_can_be_captured() -> None:
    card = part(RESOURCES.render(STATES["an authorized charge"], False), "payment_method_details", "card")
    assert card["capture_before"] == samples.CREATED_S + 604_800
    assert card["amount_authorized"] == 2000


def test_a_declined_charge_was_neither_paid_nor_authorized() -> None:
    rendered = RESOURCES.render(STATES["a declined charge"], False)
    assert (rendered["paid"], rendered["status"], rendered["failure_code"]) == (
        False,
        "failed",
        "card_declined",
    )
    assert part(rendered, "payment_method_details", "card", "amount_authorized") is None


@pytest.mark.parametrize("name", BEHAVIOURS)
def test_every_card_has_an_outcome_to_read(name: str) -> None:
    behaviour = BEHAVIOURS[name]
    stored = charge(
        outcome_reason=behaviour.reason,
        outcome_type=behaviour.outcome_type,
        risk_level=behaviour.risk_level,
        risk_score=behaviour.risk_score,
    )
    outcome = part(RESOURCES.render(stored, False), "outcome")
    assert (outcome["type"], outcome["reason"]) == (behaviour.outcome_type, behaviour.reason)
    assert (outcome["risk_level"], outcome["risk_score"]) == (behaviour.risk_level, behaviour.risk_score)
    assert (outcome["seller_message"] == "Payment complete.") == (behaviour.code is None)
    assert ("approved" in outcome["network_status"]) == (behaviour.code is None)


def test_a_decline_for_a_reason_nobody_described_is_still_a_decline() -> None:
    stored = charge("failed", outcome_type="issuer_declined", outcome_reason="a_new_one")
    assert "declined" in part(RESOURCES.render(stored, False), "outcome", "seller_message")
