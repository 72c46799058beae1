"""Which Idempotency-Key headers hold a key."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastpay import limits
from fastpay.api.idempotency_keys import parse_idempotency_key, presentable_key
from fastpay.errors import InvalidRequest

# Printable ASCII that neither begins nor ends with a space, in one expression.
_KEY = re.compile(rf"(?=.{{1,{limits.idempotency_key_chars_max}}}\Z)[!-~](?:[ -~]*[!-~])?", re.ASCII)
_CHARACTERS = st.sampled_from([*"ab1 ~!\t\n\r\x00\x1f\x7f\x80é\xa0\u2003٣", "\U0001f600"])


@given(st.text(_CHARACTERS, max_size=6))
def test_a_key_is_printable_ascii_without_spaces_around_it(text: str) -> None:
    assert presentable_key(text) == (text if _KEY.fullmatch(text) else None)


@pytest.mark.parametrize("number", range(0x180))
def test_each_character_is_taken_or_refused_as_the_expression_says(number: int) -> None:
    for text in (chr(number), f"a{chr(number)}", f"{chr(number)}a", f"a{chr(number)}a"):
        if text.startswith('"'):
            continue
        assert presentable_key(text) == (text if _KEY.fullmatch(text) else None)


def test_a_key_has_a_longest_length() -> None:
    longest = "k" * limits.idempotency_key_chars_max
    assert parse_idempotency_key(longest) == longest
    with pytest.raises(InvalidRequest):
        parse_idempotency_key(longest + "k")


def test_a_key_may_be_quoted() -> None:
    assert parse_idempotency_key('"a \\" b"') == 'a " b'
    with pytest.raises(InvalidRequest):
        parse_idempotency_key('""')
