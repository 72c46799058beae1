"""Card numbers in what requests want stored: where they are looked for, what is counted and what refused."""

import pytest

from fastpay.api.card_texts import CardTexts, may_hold_card_number
from fastpay.api.common_params import Params
from fastpay.api.decoding import FORM, decode_params
from fastpay.api.resources import ledger_accounts, payment_methods
from fastpay.api.resources.payment_intents import params as payment_intents
from fastpay.errors import InvalidRequest

GOOD = "4242424242424242"


def params_of(params_type: type[Params], body: str) -> Params:
    return decode_params(params_type, content_type=FORM, body=body.encode(), query=b"")


def test_every_text_with_a_card_number_is_counted_where_they_are_allowed() -> None:
    texts = CardTexts()
    body = f"amount=5&currency=usd&description={GOOD}&metadata[{GOOD}]={GOOD}&metadata[a]=b"
    texts.check(params_of(payment_intents.CreateParams, body))
    assert texts.counts() == {"card_numbers_allowed": 3, "card_numbers_refused": 0}


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (f"description={GOOD}", "description"),
        (f"metadata[{GOOD}]=a", "metadata"),
        (f"metadata[a]={GOOD}", "metadata[a]"),
        (f"shipping[name]=a&shipping[address][line1]={GOOD}", "shipping[address][line1]"),
        (f"payment_method_types[]=card&payment_method_types[]={GOOD}", "payment_method_types[1]"),
    ],
)
def test_the_first_text_is_refused_by_its_name_where_they_are_not(body: str, param: str) -> None:
    texts = CardTexts(refuses=True)
    with pytest.raises(InvalidRequest) as refused:
        texts.check(params_of(payment_intents.CreateParams, f"amount=5&currency=usd&{body}"))
    assert (refused.value.param, refused.value.code) == (param, "card_number_not_allowed")
    assert GOOD not in refused.value.message
    assert texts.counts() == {"card_numbers_allowed": 0, "card_numbers_refused": 1}


@pytest.mark.parametrize("refuses", [False, True])
def test_a_card_where_a_card_belongs_is_neither_counted_nor_refused(refuses: bool) -> None:
    texts = CardTexts(refuses=refuses)
    body = f"type=card&card[number]={GOOD}&card[exp_month]=1&card[exp_year]=34&card[cvc]=123"
    texts.check(params_of(payment_methods.CreateParams, body))
    assert set(texts.counts().values()) == {0}


def test_a_name_that_clients_choose_is_refused_whatever_the_setting_says() -> None:
    texts = CardTexts()
    body = f"currency=usd&normal_side=debit&code=a-{GOOD}"
    with pytest.raises(InvalidRequest) as refused:
        texts.check(params_of(ledger_accounts.CreateAccountParams, body))
    assert refused.value.param == "code"
    with pytest.raises(InvalidRequest) as key:
        texts.check_idempotency_key(GOOD)
    assert key.value.code == "idempotency_key_invalid"
    texts.check_idempotency_key("42424242-4242-4242-4242-424242424242")
    assert texts.counts() == {"card_numbers_allowed": 0, "card_numbers_refused": 2}


def test_only_what_may_hold_one_is_looked_at_with_care() -> None:
    encoded = GOOD.replace("4", "%34")
    assert may_hold_card_number(FORM, f"a={encoded}".encode(), b"")
    assert may_hold_card_number(f"{FORM}; charset=utf-8", f"a={encoded}".encode(), b"")
    assert may_hold_card_number("application/json", GOOD.replace("4", "\\u0034").encode(), b"")
    assert may_hold_card_number(None, b"", encoded.encode())
    assert may_hold_card_number("application/json", b"{}", encoded.encode())
    assert not may_hold_card_number(FORM, b"amount=1999&description=Order+12&currency=usd", b"expand[]=a")
    assert not may_hold_card_number("application/json", b'{"amount":1999,"description":"Order 12"}', b"")
