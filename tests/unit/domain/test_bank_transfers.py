"""Addresses of bank accounts: of a customer's own, always the same, with check digits that are right."""

import json
from typing import Any

import pytest

from fastpay.domain import bank_accounts, bank_transfers

CUSTOMER, OTHER = "cus_" + "1" * 32, "cus_" + "2" * 32
EU = "eu_bank_transfer"


def addresses(customer: str, transfer: str, country: str, *wanted: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(
        bank_transfers.addresses(customer, transfer, country, wanted or None)
    )
    return found


@pytest.mark.parametrize("country", ["BE", "DE", "ES", "FR", "IE", "NL"])
def test_an_iban_is_valid_and_of_the_country(country: str) -> None:
    (found,) = addresses(CUSTOMER, EU, country)
    assert bank_accounts.is_iban(found["iban"]["iban"])
    assert found["iban"]["iban"][:2] == found["iban"]["country"] == country


def test_the_last_digit_of_a_clabe_checks_the_others() -> None:
    (found,) = addresses(CUSTOMER, "mx_bank_transfer", "MX")
    digits = [int(digit) for digit in found["spei"]["clabe"]]
    assert len(digits) == 18
    assert sum(digit * (3, 7, 1)[place % 3] % 10 for place, digit in enumerate(digits[:17])) % 10 == (
        -digits[17] % 10
    )


@pytest.mark.parametrize("transfer", bank_transfers.CURRENCIES)
def test_addresses_are_a_customers_own_and_do_not_change(transfer: str) -> None:
    country = bank_transfers.country_of(transfer, "DE")
    assert addresses(CUSTOMER, transfer, country) == addresses(CUSTOMER, transfer, country)
    assert addresses(CUSTOMER, transfer, country) != addresses(OTHER, transfer, country)


def test_types_of_address_that_are_not_wanted_are_left_out() -> None:
    assert [one["type"] for one in addresses(CUSTOMER, "us_bank_transfer", "US", "aba")] == ["aba"]
    assert [one["type"] for one in addresses(CUSTOMER, EU, "DE", "sort_code")] == ["iban"]
