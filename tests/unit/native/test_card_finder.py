"""The search for card numbers, beside its oracle."""

import sys
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastpay.api import card_numbers
from tests.reference import card_finder as oracle
from tests.unit.api.test_card_numbers import NUMBERS, written

UUIDS = st.sampled_from([str(uuid.UUID("42" * 16)), str(uuid.UUID("ab" * 16)).upper()])
SIGNS = st.sampled_from(
    [*"4444422226011 0035 -._+", "a", "F", "g", "\n", "\u00a0", "\u2010", "\u0664", "\U0001d7ce"]
)
PARTS = st.sampled_from(NUMBERS) | UUIDS | SIGNS | written() | st.text(max_size=3)
TEXTS = st.lists(PARTS | st.text(SIGNS, max_size=24), max_size=8).map("".join)


@given(text=TEXTS)
def test_what_is_found_is_what_the_oracle_finds(text: str) -> None:
    assert card_numbers.holds(text) == oracle.holds(text)


@pytest.mark.parametrize("size", [511, 512, 513, 70_000])
def test_a_card_number_is_found_at_the_end_of_a_text_of_any_length(size: int) -> None:
    assert card_numbers.holds("x" * (size - 16) + "4242424242424242")
    assert not card_numbers.holds("x" * (size - 16) + "4242424242424241")


@pytest.mark.parametrize(
    "text", ["444 ", "4444 ", "6011-", "44", "a" * 64 + " 4444444444444 ", "\u0664\u0662 ", "\u00e9 4"]
)
def test_what_a_text_is_full_of_runs_no_code_of_ours_for_each_of_its_characters(text: str) -> None:
    calls = 0

    def count(_frame: object, _event: str, _argument: object) -> None:
        nonlocal calls
        calls += 1

    long = text * 1_000
    sys.setprofile(count)
    try:
        card_numbers.holds(long)
    finally:
        sys.setprofile(None)
    assert calls < 10
