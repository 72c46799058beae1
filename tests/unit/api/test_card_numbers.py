"""What counts as a card number in a text, and what does not."""

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastpay.api import card_numbers
from fastpay.domain import cards

GOOD = "4242424242424242"
NUMBERS = sorted(cards.NUMBERS)


@st.composite
def written(draw: st.DrawFn) -> str:
    """Draw a card number as somebody may have written it."""
    number = draw(st.sampled_from(NUMBERS))
    separator = draw(
        st.sampled_from(["", " ", "-", ".", "_", "  ", " - ", "\t", "\u00a0", "\u2013", "\u200b"])
    )
    size = draw(st.sampled_from([1, 4, 6, 20]))
    text = separator[:2].join(number[place : place + size] for place in range(0, len(number), size))
    if draw(st.booleans()):
        zero = draw(st.sampled_from([0xFF10, 0x0660, 0x0966, 0x1D7CE]))
        text = "".join(chr(zero + int(sign)) if sign.isdigit() and sign.isascii() else sign for sign in text)
    around = st.sampled_from(["", "card ", "order-", "(", "\u00e9", '"', "x", "4, "])
    return draw(around) + text + draw(st.sampled_from(["", " 12/34", ")", ".", " exp", "\u00e9", "x"]))


@pytest.mark.parametrize("number", NUMBERS)
def test_every_test_card_is_known(number: str) -> None:
    assert card_numbers.holds(number)


@pytest.mark.parametrize(
    "text",
    [
        "4242 4242 4242 4242",
        "4242-4242-4242-4242",
        "3782 822463 10005",
        "4 2 4 2 4 2 4 2 4 2 4 2 4 2 4 2",
        "Visa 4242424242424242 12/34 123",
        "4242 4242 4242 4242 12 34 123",
        "1234 4242424242424242",
        "card4242424242424242",
        "order-4242424242424242",
        "pay_4242424242424242_x",
        '{"number":"4242424242424242"}',
        "\uff14\uff12" * 8,
        "\u0664\u0662" * 8,
        "4222222222222",
        "6304000000000000",
        "+4242424242424242",
        "x" * 300 + GOOD,
        f"Ada\n{GOOD}",
        f"cafe\r\n{GOOD}\n",
    ],
)
def test_a_card_number_is_found_however_it_is_written(text: str) -> None:
    assert card_numbers.holds(text)


@given(text=written())
def test_a_card_number_is_found_in_what_people_write(text: str) -> None:
    # A text that begins with another digit group is not always told from a longer number.
    assert card_numbers.holds(text) or text.startswith("4, ") or "12/34" in text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Order 12",
        "4242424242424241",
        "424242424242424",
        "42424242424242424242",
        "9999999999999995",
        "1732800000000",
        "2026-11-28 12:30:00.123456",
        "+4915112345675",
        "cus_0190a5f0b7e97cc08d0a8b8e5b1f2a3c",
        "pi_42424242424242424242424242424242_secret_x",
        "a4242424242424242",
        "deadbeef4242424242424242cafe",
        "42424242-4242-4242-4242-424242424242",
        "4242,4242,4242,4242",
        "4242   4242   4242   4242",
        # Each has the digits of a card number, but not its groups: a customer, an attempt, a time, a date.
        "420-1795883115127",
        "38-0-1795883115123.8",
        "4012-20261128-0009",
        "4012-2026-11-28-0009",
    ],
)
def test_what_is_none_is_left_alone(text: str) -> None:
    assert not card_numbers.holds(text)


@given(number=st.uuids(), sizes=st.booleans())
def test_a_uuid_is_none_whatever_its_digits_are(number: uuid.UUID, sizes: bool) -> None:
    digits = "".join(str(int(sign, 16) % 10) for sign in number.hex)
    text = str(uuid.UUID(digits))
    assert not card_numbers.holds(text if sizes else f"retry-{text}")


def test_the_brand_of_a_number_is_that_of_the_one_scheme_which_issues_it() -> None:
    brands = ("visa", "mastercard", "amex", "diners", "discover", "jcb", "unionpay")
    for first in range(10_000):
        for length in range(13, 20):
            issuers = [
                brand
                for brand, (ranges, lengths) in zip(brands, card_numbers.SCHEMES, strict=False)
                if length in lengths and any(low <= first <= high for low, high in ranges)
            ]
            assert card_numbers.brand_of(f"{first:04}".ljust(length, "0")) == (issuers or ["unknown"])[0]
