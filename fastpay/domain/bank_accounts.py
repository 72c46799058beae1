"""Bank accounts: those that direct debits collect from, and those that tokens stand for.

The number of a test account (`iban_table.py`) alone decides what becomes of a debit.
"""

import re
from typing import NamedTuple

import msgspec

_IBAN = re.compile(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}", re.ASCII)
_ROUTING_NUMBER = re.compile(r"[0-9]{9}", re.ASCII)


class SepaDebit(msgspec.Struct, frozen=True, gc=False, array_like=True, kw_only=True):
    """What is stored of a bank account. Its number is not.

    `behaviour` names what becomes of a debit. `mandate` is the one that later debits need no other than.
    """

    bank_code: str
    country: str
    fingerprint: str
    last4: str
    behaviour: str = "success"
    branch_code: str = ""
    mandate: str | None = None


class BankAccount(msgspec.Struct, frozen=True, gc=False, array_like=True, kw_only=True):
    """A bank account of a token, or of the connected `account`. Its number is not stored."""

    id: str = ""
    account: str | None = None
    country: str
    currency: str
    fingerprint: str
    last4: str
    account_holder_name: str | None = None
    account_holder_type: str | None = None
    account_type: str | None = None
    routing_number: str | None = None


class Debit(NamedTuple):
    """What becomes of a debit: a failure or none, as soon as possible or `delay_factor` times later.

    If it `is_disputed`, the account's holder has the money returned right after it was paid.
    """

    failure_code: str | None = None
    failure_message: str | None = None
    delay_factor: int = 1
    is_disputed: bool = False


_NOT_PROCESSED = "The bank could not process this debit and gave no reason."
_LATER = 36

DEBITS: dict[str, Debit] = {
    "success": Debit(),
    "success_later": Debit(delay_factor=_LATER),
    "disputed": Debit(is_disputed=True),
    "failure": Debit("generic_could_not_process", _NOT_PROCESSED),
    "failure_later": Debit("generic_could_not_process", _NOT_PROCESSED, _LATER),
    "insufficient_funds": Debit("insufficient_funds", "The account does not hold enough money."),
    "source_limit": Debit("charge_exceeds_source_limit", "The amount exceeds the limit of this account."),
    "weekly_limit": Debit("charge_exceeds_weekly_limit", "The amount exceeds the weekly limit."),
}


# Account numbers of test accounts in the United States, and the bank that has them. Source: the dialect's
# testing documentation of payouts to connected accounts.
US_ACCOUNTS = frozenset(
    ("000123456789", "000111111113", "000111111116", "000222222227", "000333333335", "000444444440")
)
US_TEST_BANK = "110000000"


def is_routing_number(number: str) -> bool:
    """Tell whether the check digit of a routing number is right. Source: ABA, routing number policy."""
    if _ROUTING_NUMBER.fullmatch(number) is None:
        return False
    return sum(int(digit) * weight for digit, weight in zip(number, (3, 7, 1) * 3, strict=True)) % 10 == 0


def is_iban(number: str) -> bool:
    """Tell whether the check digits of an IBAN without spaces are right. Source: ISO 13616, ISO 7064."""
    if _IBAN.fullmatch(number) is None:
        return False
    return int("".join(str(int(character, 36)) for character in number[4:] + number[:4])) % 97 == 1
