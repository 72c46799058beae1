"""What may be kept of a request is on a list; all else is left out."""

from typing import Any

import pytest

from fastpay.api import redaction
from fastpay.api.app import ROUTES
from fastpay.api.resources.payment_intents.params import CreateParams
from fastpay.domain import kinds

LISTS = {route.path: route.endpoint.contract.params for route in ROUTES if route.method == "GET"}
RULE = redaction.rule_of(CreateParams)
CUSTOMER = "cus_01a226b25eb6700081a770c523a310ef"
HIDDEN = redaction.REDACTED


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ({"amount": "2000"}, {"amount": 2000}),
        ({"amount": 2000}, {"amount": 2000}),
        ({"amount": "-5"}, {"amount": -5}),
        ({"amount": "4242424242424242"}, {"amount": HIDDEN}),
        ({"amount": 4242424242424242}, {"amount": HIDDEN}),
        ({"amount": -4242424242424242}, {"amount": HIDDEN}),
        ({"amount": 999_999_999_999}, {"amount": 999_999_999_999}),
        ({"amount": "٤٢"}, {"amount": HIDDEN}),
        ({"amount": True}, {"amount": True}),
        ({"amount": {"x": "y"}}, {"amount": HIDDEN}),
        ({"amount": ["1"]}, {"amount": HIDDEN}),
        ({"confirm": "True"}, {"confirm": True}),
        ({"confirm": "yes"}, {"confirm": HIDDEN}),
        ({"capture_method": "manual"}, {"capture_method": "manual"}),
        ({"capture_method": "159"}, {"capture_method": HIDDEN}),
        ({"currency": "usd"}, {"currency": "usd"}),
        ({"currency": "9q7"}, {"currency": HIDDEN}),
        ({"customer": CUSTOMER}, {"customer": CUSTOMER}),
        ({"customer": CUSTOMER[:-1]}, {"customer": HIDDEN}),
        ({"customer": ""}, {"customer": ""}),
        ({"customer": None}, {"customer": None}),
        ({"payment_method": "pm_card_visa"}, {"payment_method": "pm_card_visa"}),
        ({"payment_method": "pm_4242424242424242"}, {"payment_method": HIDDEN}),
        ({"payment_method": 159}, {"payment_method": HIDDEN}),
        ({"description": "usd"}, {"description": HIDDEN}),
        ({"metadata": {"order": "1"}}, {"metadata": HIDDEN}),
        ({"metadata": ""}, {"metadata": ""}),
        ({"expand": ["latest_charge", "a1"]}, {"expand": ["latest_charge", HIDDEN]}),
        ({"expand": {"0": "latest_charge"}}, {"expand": ["latest_charge"]}),
        ({"expand": ["x"] * 101}, {"expand": HIDDEN}),
        ({"amuont": "5", "4242424242424242": "x"}, {}),
        (
            {"payment_method_data": {"type": "card", "card": {"exp_month": 12}, "x": 1}},
            {"payment_method_data": {"type": "card", "card": HIDDEN}},
        ),
        ({"client_secret": f"{CUSTOMER}_secret_x"}, {}),
    ],
)
def test_a_value_is_kept_only_if_it_is_known_to_be_harmless(sent: Any, kept: Any) -> None:
    assert redaction.parameters(RULE, sent) == kept


def test_rules_are_made_once_for_every_params_type() -> None:
    for route in ROUTES:
        params_type = route.endpoint.contract.params
        rule = redaction.rule_of(params_type)
        assert rule is redaction.rule_of(params_type)
        assert redaction.parameters(rule, {"expand": ["x"], "nothing": "x"}) == {"expand": ["x"]}


def test_ranges_of_time_are_kept() -> None:
    sent = {"created": {"gte": "1700000000", "lt": "4242424242424242"}, "email": "jenny@example.com"}
    kept = {"created": {"gte": 1_700_000_000, "lt": HIDDEN}, "email": HIDDEN}
    assert redaction.parameters(redaction.rule_of(LISTS["/v1/customers"]), sent) == kept


@pytest.mark.parametrize(
    ("param", "kept"),
    [
        ("amount", "amount"),
        ("payment_method_data[card][number]", "payment_method_data[card][number]"),
        ("payment_method_data[card][9q7]", "payment_method_data[card]"),
        ("metadata[4242424242424242]", "metadata"),
        ("expand[12]", "expand[12]"),
        ("expand[159]", "expand"),
        ("amuont", HIDDEN),
        ("id", "id"),
        ("id[x]", "id"),
        ("", HIDDEN),
    ],
)
def test_the_name_of_a_parameter_is_kept_as_far_as_it_is_known(param: str, kept: str) -> None:
    assert redaction.name(RULE, param) == kept


def test_without_a_type_only_names_of_paths_are_kept() -> None:
    assert redaction.name(None, "id") == "id"
    assert redaction.name(None, "amount") == HIDDEN


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("/v1/payment_intents", "/v1/payment_intents"),
        (f"/v1/customers/{CUSTOMER}/sources", f"/v1/customers/{CUSTOMER}/sources"),
        ("/v1/customers/4242424242424242", f"/v1/customers/{HIDDEN}"),
        ("/v1/customers/Jenny", f"/v1/customers/{HIDDEN}"),
        ("/a/b/c/d/e/f/g/h/i1/j", f"/a/b/c/d/e/f/g/{HIDDEN}"),
        ("/v1/request_logs/req_4a1c5d2e7f0b3a6c9d8e1f20", "/v1/request_logs/req_4a1c5d2e7f0b3a6c9d8e1f20"),
        ("/" + "a" * 41, f"/{HIDDEN}"),
        ("//", "//"),
    ],
)
def test_a_path_keeps_words_and_identifiers(sent: str, kept: str) -> None:
    assert redaction.path(sent) == kept


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("Your card was declined.", "Your card was declined."),
        (f"No such customer: '{CUSTOMER}'", f"No such customer: '{CUSTOMER}'"),
        ("No such customer: 'Jenny 159'", f"No such customer: '{HIDDEN}'"),
        ("No such customer: 'it's 159", f"No such customer: 'it's {HIDDEN}"),
        ("It must be 'card' or 'sepa_debit'.", "It must be 'card' or 'sepa_debit'."),
        ("A whole number from 1 to 99,999,999.", "A whole number from 1 to 99,999,999."),
        ("Not 'x' to 159 'y'", f"Not 'x' to {HIDDEN} 'y'"),
        ("The account 9q7 does not hold enough", f"The account {HIDDEN} does not hold enough"),
        ("Received '159'. It must be an object.", None),
        ("Received unknown parameter: 159.", None),
        ("a\0b", "a\ufffdb"),
        ("a\ud800b", "a?b"),
    ],
)
def test_a_message_keeps_its_own_words(said: str, kept: str | None) -> None:
    assert redaction.message(said) == kept


def test_a_message_is_bounded() -> None:
    assert redaction.message("long " * 1_000) == ("long " * 1_000)[:500]


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("Stripe/v1 PythonBindings/16.1.0", "Stripe/v1 PythonBindings/16.1.0"),
        ("curl/8.5.0", "curl/8.5.0"),
        ("Mozilla/5.0 (X11; Linux 4242424242424242) Gecko/20100101", "Mozilla/5.0"),
        ("4242424242424242", None),
        ("Browser/9q7", None),
        ("", None),
    ],
)
def test_a_user_agent_keeps_its_products(sent: str, kept: str | None) -> None:
    assert redaction.user_agent(sent) == kept


def test_identifiers_of_every_kind_are_known() -> None:
    for kind in kinds.KINDS.values():
        assert redaction.is_identifier(f"{kind.prefix}_01a226b25eb6700081a770c523a310ef")
        assert not redaction.is_identifier(f"{kind.prefix}_4242424242424242")
    for text in ("", "_", "sk_test_abc", "whsec_abc", "req_1", "nothing_01a226b25eb6700081a770c523a310ef"):
        assert not redaction.is_identifier(text)
