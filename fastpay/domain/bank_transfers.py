"""Bank transfers: the types that there are, and the addresses of the bank accounts that customers pay into.

Each customer has accounts of their own, so that money that arrives names its customer. Test mode has no bank:
the numbers follow from the customer's identifier, and their check digits are right.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from fastpay.domain.identifiers import derived
from fastpay.errors import InvalidRequest

# The currency of each type.
CURRENCIES: Mapping[str, str] = {
    "eu_bank_transfer": "eur",
    "gb_bank_transfer": "gbp",
    "jp_bank_transfer": "jpy",
    "mx_bank_transfer": "mxn",
    "us_bank_transfer": "usd",
}
OF_CURRENCY: Mapping[str, str] = {currency: name for name, currency in CURRENCIES.items()}
# The country of the bank, where a request cannot choose it.
_COUNTRIES: Mapping[str, str] = {
    "gb_bank_transfer": "GB",
    "jp_bank_transfer": "JP",
    "mx_bank_transfer": "MX",
    "us_bank_transfer": "US",
}
_ADDRESS_TYPES: Mapping[str, tuple[str, ...]] = {
    "eu_bank_transfer": ("iban",),
    "gb_bank_transfer": ("sort_code",),
    "jp_bank_transfer": ("zengin",),
    "mx_bank_transfer": ("spei",),
    "us_bank_transfer": ("aba", "swift"),
}
_NETWORKS: Mapping[str, list[str]] = {
    "aba": ["ach", "domestic_wire_us"],
    "iban": ["sepa"],
    "sort_code": ["bacs", "fps"],
    "spei": ["spei"],
    "swift": ["swift"],
    "zengin": ["zengin"],
}
# The characters of an account number in the IBAN of each country that can be chosen.
_IBAN_CHARS: Mapping[str, int] = {"BE": 12, "DE": 18, "ES": 20, "FR": 23, "IE": 18, "NL": 14}
_IBAN_BANKS: Mapping[str, str] = {"IE": "TEST", "NL": "TEST"}
_CLABE_WEIGHTS = (3, 7, 1)
_HOLDER = "Test account"
_BANK = "Test bank"

# JSON: addresses have fields of their own by type.
_Fields = dict[str, Any]


def type_of(currency: str) -> str:
    """Return the type of the transfers in a currency. Raises: InvalidRequest if there are none."""
    transfer = OF_CURRENCY.get(currency)
    if transfer is None:
        raise InvalidRequest(
            f"There are no bank transfers in {currency}. Give one of {', '.join(sorted(OF_CURRENCY))}.",
            param="currency",
        )
    return transfer


def country_of(transfer: str, chosen: str | None) -> str:
    """Return the country of the bank that a type of transfer goes to."""
    return _COUNTRIES.get(transfer) or chosen or "IE"


def addresses(customer: str, transfer: str, country: str, wanted: Sequence[str] | None = None) -> str:
    """Return, in JSON, the addresses that a customer's transfers of this type go to.

    `wanted` are types of address: the others are left out, unless none of these belongs to the transfer.
    """
    types = _ADDRESS_TYPES[transfer]
    chosen = [name for name in types if wanted is None or name in wanted] or types
    seed = int(derived(customer, transfer, country), 16)
    shown = [
        {"supported_networks": _NETWORKS[name], "type": name, name: _address(name, country, seed)}
        for name in chosen
    ]
    return msgspec.json.encode(shown).decode()


def reference(intent: str) -> str:
    """Return what a customer writes on the transfer for a payment."""
    return derived(intent, "reference")[:12].upper()


def _address(name: str, country: str, seed: int) -> _Fields:
    return {
        "account_holder_address": _place(country),
        "account_holder_name": _HOLDER,
        "bank_address": _place(country),
        **_NUMBERS[name](country, seed),
    }


def _place(country: str) -> _Fields:
    return {
        "city": "Test city",
        "country": country,
        "line1": "1 Test street",
        "line2": None,
        "postal_code": "00000",
        "state": None,
    }


def _aba(country: str, seed: int) -> _Fields:
    number = {"account_number": _digits(seed, 10), "account_type": "checking"}
    return number | {"bank_name": _BANK, "routing_number": "110000000"}


def _iban(country: str, seed: int) -> _Fields:
    bank = _IBAN_BANKS.get(country, "")
    account = bank + _digits(seed, _IBAN_CHARS[country] - len(bank))
    number = "".join(str(int(character, 36)) for character in f"{account}{country}00")
    return {
        "bic": f"TEST{country}2XXXX"[:11],
        "country": country,
        "iban": f"{country}{98 - int(number) % 97:02}{account}",
    }


def _sort_code(country: str, seed: int) -> _Fields:
    return {"account_number": _digits(seed, 8), "sort_code": "108800"}


def _spei(country: str, seed: int) -> _Fields:
    number = "646180" + _digits(seed, 11)
    weighted = (int(digit) * _CLABE_WEIGHTS[place % 3] % 10 for place, digit in enumerate(number))
    return {"bank_code": "646", "bank_name": _BANK, "clabe": f"{number}{-sum(weighted) % 10}"}


def _swift(country: str, seed: int) -> _Fields:
    number = {"account_number": _digits(seed, 10), "account_type": "checking"}
    return number | {"bank_name": _BANK, "swift_code": "TESTUS33XXX"}


def _zengin(country: str, seed: int) -> _Fields:
    number = {"account_number": _digits(seed, 7), "account_type": "futsu"}
    return number | {
        "bank_code": "0999",
        "bank_name": _BANK,
        "branch_code": "001",
        "branch_name": "Test branch",
    }


def _digits(seed: int, count: int) -> str:
    return f"{seed % 10**count:0{count}}"


_NUMBERS: Mapping[str, Callable[[str, int], _Fields]] = {
    "aba": _aba,
    "iban": _iban,
    "sort_code": _sort_code,
    "spei": _spei,
    "swift": _swift,
    "zengin": _zengin,
}
