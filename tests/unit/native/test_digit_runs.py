"""The first look for card numbers, beside its oracle and the careful one."""

import json
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fastpay._native import digit_runs
from fastpay.api import card_numbers
from tests.reference import digit_runs as oracle
from tests.unit.api.test_card_numbers import written

SIGNS = st.sampled_from([*b"0123456789" * 3, *b' +-._%\\u4fA/&="{}\t', 0xC3, 0xA9, 0xD9, 0xA4, 0xFF])
TEXTS = st.lists(SIGNS, max_size=80).map(bytes) | st.binary(max_size=60)
LOOKS = ("in_form", "in_json")


@pytest.mark.parametrize("name", LOOKS)
@given(text=TEXTS)
@example(text=rb"000000000000\00")
def test_a_look_sees_what_the_oracle_sees(name: str, text: bytes) -> None:
    assert getattr(digit_runs, name)(text) == getattr(oracle, name)(text)


@given(
    text=st.text(
        st.sampled_from("0123456789012345678901234567 -+._x\u00e9\u00a0\uff14\U0001d7ce\ud800"), max_size=60
    )
)
def test_a_look_at_a_text_sees_what_the_oracle_sees(text: str) -> None:
    assert digit_runs.in_text(text) == oracle.in_text(text)


@given(text=written() | st.text(max_size=40))
def test_no_card_number_gets_past_the_first_look_however_it_is_spelled(text: str) -> None:
    if not card_numbers.holds(text):
        return
    assert digit_runs.in_text(text)
    assert digit_runs.in_form(f"a=b&note={quote_plus(text)}&c=d".encode())
    assert digit_runs.in_form(quote(text, safe="").encode())
    assert digit_runs.in_form("".join(f"%{byte:02x}" for byte in text.encode()).encode())
    assert digit_runs.in_json(json.dumps({"a": text}).encode())
    assert digit_runs.in_json(json.dumps([text], ensure_ascii=False).encode())
    units = text.encode("utf-16-be")
    escaped = "".join(f"\\u{units[place : place + 2].hex()}" for place in range(0, len(units), 2))
    assert digit_runs.in_json(f'"{escaped}"'.encode())


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"amount=2000&currency=usd&confirm=true&payment_method=pm_card_visa&description=Order+12",
        b"metadata%5Border%5D=6735&metadata%5Bat%5D=2026-11-28T12%3A30%3A00Z&customer=cus_0190a5f0b7e97cc08d0a",
    ],
)
def test_an_ordinary_payment_ends_at_the_first_look(body: bytes) -> None:
    assert not digit_runs.in_form(body)


@pytest.mark.parametrize("name", LOOKS)
@pytest.mark.parametrize("text", ["4242424242424242", None, bytearray(b"1")])
def test_only_bytes_are_looked_at_in_a_body(name: str, text: object) -> None:
    with pytest.raises(TypeError):
        getattr(digit_runs, name)(text)
