"""Amounts, currencies and fees."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastpay import limits
from fastpay.domain import money
from fastpay.errors import InvalidRequest

AMOUNTS = st.integers(limits.amount_min, limits.amount_max)


@pytest.mark.parametrize(
    ("amount", "basis_points", "fixed", "fee"),
    [
        (1000, 290, 30, 59),
        (1000, 0, 0, 0),
        (1, 290, 30, 1),
        (30, 290, 30, 30),
        (50, 100, 0, 1),  # half a unit goes up
        (49, 100, 0, 0),
        (150, 100, 0, 2),
        (99_999_999, 10_000, 99_999_999, 99_999_999),
    ],
)
def test_a_fee_is_rounded_half_up_and_never_above_the_amount(
    amount: int, basis_points: int, fixed: int, fee: int
) -> None:
    assert money.fee(amount, basis_points=basis_points, fixed=fixed) == fee


@given(amount=AMOUNTS, basis_points=st.integers(0, 10_000), fixed=st.integers(0, 99_999_999))
def test_a_fee_is_the_nearest_unit_to_the_exact_share(amount: int, basis_points: int, fixed: int) -> None:
    fee = money.fee(amount, basis_points=basis_points, fixed=fixed)
    assert 0 <= fee <= amount
    if fee < amount:
        assert -Fraction(1, 2) < fee - fixed - Fraction(amount * basis_points, 10_000) <= Fraction(1, 2)


@pytest.mark.parametrize(
    ("amount", "code"),
    [
        (limits.amount_min - 1, "amount_too_small"),
        (-5, "amount_too_small"),
        (limits.amount_max + 1, "amount_too_large"),
    ],
)
def test_an_amount_outside_the_limits_is_refused(amount: int, code: str) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        money.check_amount(amount)
    assert (refusal.value.code, refusal.value.param) == (code, "amount")


@given(AMOUNTS)
def test_an_amount_within_the_limits_is_taken(amount: int) -> None:
    assert money.check_amount(amount) == amount


def test_a_currency_is_taken_in_any_case_and_only_when_it_is_known() -> None:
    assert money.parse_currency("UsD") == "usd"
    for text in ("", "us", "usdd", "zzz", "ußd", "usd "):
        with pytest.raises(InvalidRequest):
            money.parse_currency(text)


def test_every_currency_is_three_small_letters() -> None:
    assert all(
        len(code) == 3 and code.isascii() and code.isalpha() and code.islower() for code in money.CURRENCIES
    )


@pytest.mark.parametrize(
    ("amount", "currency", "shown"),
    [
        (1999, "usd", "19.99 USD"), (5, "eur", "0.05 EUR"), (-150, "usd", "-1.50 USD"),
        (500, "jpy", "500 JPY"), (1234, "kwd", "1.234 KWD"),
    ],
)  # fmt: skip
def test_an_amount_is_shown_with_the_decimals_of_its_currency(amount: int, currency: str, shown: str) -> None:
    assert money.show_amount(amount, currency) == shown
    if amount > 0:
        assert money.read_amount(shown.split(maxsplit=1)[0], currency) == amount


@pytest.mark.parametrize("typed", ["", "x", "1,50", "1.505", "1.", ".5", "-1", "1e3", "٣", "1" * 13, "0"])
def test_what_is_no_amount_is_not_read_as_one(typed: str) -> None:
    with pytest.raises(InvalidRequest):
        money.read_amount(typed, "usd")
