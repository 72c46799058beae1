"""Cards in requests: what is checked, and that nothing of them is ever said again."""

import logging
from typing import Any

import msgspec
import pytest

from fastpay.api.card_params import CardParams
from fastpay.domain.cards import MAGIC_PAYMENT_METHODS, MAGIC_TOKENS
from tests.unit.api.fakes import LIVE, Api

NUMBER = "4242424242424242"
REAL = "4929000000006"  # passes the check of its last digit, and is no test card


@pytest.fixture
def api() -> Api:
    return Api()


def _card(**changes: str | None) -> str:
    fields = {"number": NUMBER, "exp_month": "12", "exp_year": "2030", "cvc": "123", **changes}
    return "type=card&" + "&".join(
        f"card[{name}]={value}" for name, value in fields.items() if value is not None
    )


@pytest.mark.parametrize(
    ("changes", "code", "param"),
    [
        ({"number": "4242424242424241"}, "incorrect_number", "card[number]"),
        ({"number": "4242"}, "incorrect_number", "card[number]"),
        ({"number": "abcdabcdabcdabcd"}, "incorrect_number", "card[number]"),
        ({"number": "٤٢٤٢٤٢٤٢٤٢٤٢٤٢٤٢"}, "incorrect_number", "card[number]"),
        ({"exp_month": "13"}, "invalid_expiry_month", "card[exp_month]"),
        ({"exp_month": "0"}, "invalid_expiry_month", "card[exp_month]"),
        ({"exp_year": "2100"}, "invalid_expiry_year", "card[exp_year]"),
        ({"exp_year": "-2030"}, "invalid_expiry_year", "card[exp_year]"),
        ({"cvc": "12"}, "invalid_cvc", "card[cvc]"),
        ({"cvc": "12345"}, "invalid_cvc", "card[cvc]"),
        ({"cvc": "1234"}, "invalid_cvc", "card[cvc]"),
        ({"cvc": "abc"}, "invalid_cvc", "card[cvc]"),
    ],
)
def test_a_card_that_cannot_be_one_is_declined(
    api: Api, changes: dict[str, str], code: str, param: str
) -> None:
    error = api.refused("POST", "/v1/payment_methods", _card(**changes))
    assert (error["status"], error["type"]) == (402, "card_error")
    assert (error["code"], error["param"]) == (code, param)
    assert api.engine.submissions == []


@pytest.mark.parametrize(
    ("changes", "code", "param"),
    [
        ({"exp_year": "2020"}, "invalid_expiry_year", "card[exp_year]"),
        ({"exp_year": "20"}, "invalid_expiry_year", "card[exp_year]"),
        ({"exp_month": "8", "exp_year": "2026"}, "invalid_expiry_month", "card[exp_month]"),
    ],
)
def test_a_card_that_is_over_is_declined_by_the_command(
    api: Api, changes: dict[str, str], code: str, param: str
) -> None:
    # A replay of what was decided while the card was good must not depend on today's date.
    error = api.refused("POST", "/v1/payment_methods", _card(**changes))
    assert (error["status"], error["code"], error["param"]) == (402, code, param)
    assert len(api.engine.submissions) == 1


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"number": None}, "card[number]"),
        ({"exp_month": None}, "card[exp_month]"),
        ({"exp_year": None}, "card[exp_year]"),
    ],
)
def test_card_data_must_be_whole(api: Api, changes: dict[str, Any], param: str) -> None:
    error = api.refused("POST", "/v1/payment_methods", _card(**changes))
    assert (error["status"], error["code"], error["param"]) == (400, "parameter_missing", param)
    assert error["message"] == f"Missing required param: {param}."


def test_all_card_data_that_is_missing_is_named(api: Api) -> None:
    error = api.refused("POST", "/v1/payment_methods", _card(number=None, exp_year=None))
    assert error["message"] == "Missing required params: card[number], card[exp_year]."


@pytest.mark.parametrize(
    "changes",
    [
        {"number": "4242 4242 4242 4242"},
        {"number": "4242-4242-4242-4242"},
        {"exp_year": "30"},
        {"exp_month": "9", "exp_year": "2026"},
        {"cvc": None},
        {"number": "378282246310005", "cvc": "1234"},
    ],
)
def test_a_card_may_be_written_in_several_ways(api: Api, changes: dict[str, str]) -> None:
    method = api.post("/v1/payment_methods", _card(**changes))
    assert 2026 <= method["card"]["exp_year"] <= 2030
    assert method["card"]["checks"]["cvc_check"] == (None if changes.get("cvc", "") is None else "pass")


def test_equal_numbers_have_equal_fingerprints_however_they_came(api: Api) -> None:
    plain = api.post("/v1/payment_methods", _card())
    spaced = api.post("/v1/payment_methods", _card(number="4242 4242 4242 4242"))
    token = api.post("/v1/payment_methods", "type=card&card[token]=tok_visa")
    prints = {method["card"]["fingerprint"] for method in (plain, spaced, token)}
    assert len(prints) == 1


def test_a_card_that_is_no_test_card_is_declined_in_test_mode(api: Api) -> None:
    error = api.refused("POST", "/v1/payment_methods", _card(number=REAL))
    assert (error["status"], error["code"]) == (402, "card_declined")
    assert error["decline_code"] == "test_mode_live_card"


@pytest.mark.parametrize(
    ("path", "form"),
    [
        ("/v1/payment_methods", _card()),
        ("/v1/payment_methods", "type=card&card[token]=tok_visa"),
        ("/v1/payment_intents", "amount=1&currency=usd&payment_method=pm_card_visa"),
        ("/v1/customers", "payment_method=pm_card_visa"),
    ],
)
def test_a_test_card_is_declined_in_live_mode(api: Api, path: str, form: str) -> None:
    error = api.refused("POST", path, form, key=LIVE)
    assert (error["status"], error["code"]) == (402, "card_declined")
    assert error["decline_code"] == "live_mode_test_card"
    assert api.engine.submissions == []


def test_an_unknown_token_is_refused_and_one_beside_data_too(api: Api) -> None:
    for token in ("tok_unknown", "tok_visa&card[number]=4242424242424242"):
        error = api.refused("POST", "/v1/payment_methods", f"type=card&card[token]={token}")
        assert (error["status"], error["param"]) == (400, "card[token]")


def test_every_magic_name_stands_for_a_card(api: Api) -> None:
    for name in MAGIC_PAYMENT_METHODS:
        assert api.get(f"/v1/payment_methods/{name}")["card"]["exp_month"] == 12
    for name in MAGIC_TOKENS:
        assert api.post("/v1/payment_methods", f"type=card&card[token]={name}")["card"]["last4"]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"number": "4242424242424241"},
        {"number": REAL},
        {"exp_month": NUMBER},
        {"cvc": "98765"},
        {"cvc": "987", "unknown": "1"},
        {"number": NUMBER * 3},
    ],
)
def test_numbers_and_codes_are_never_said_again(
    api: Api, changes: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    api.engine.failure = RuntimeError("broken") if not changes else None
    response = api.send("POST", "/v1/payment_methods", _card(**changes))
    assert response.status_code >= 400
    for text in (response.text, caplog.text, repr(api.engine.submissions)):
        for secret in (NUMBER, REAL, "424242424242", "98765", "987"):
            assert secret not in text


def test_the_params_of_a_card_show_nothing_of_it() -> None:
    params = msgspec.convert({"number": NUMBER, "cvc": "987", "token": "tok_visa"}, CardParams)
    for shown in (repr(params), str(params), f"{params}"):
        assert shown == "CardParams(...)"
