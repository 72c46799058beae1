"""Bank accounts that direct debits collect from, and the test accounts that stand for them.

The number of a test account alone decides what becomes of a debit. Source: the dialect's testing
documentation for SEPA direct debits.
"""

import re
from typing import NamedTuple

import msgspec

_IBAN = re.compile(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}", re.ASCII)


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


class Debit(NamedTuple):
    """What becomes of a debit: a failure or none, as soon as possible or `delay_factor` times later."""

    failure_code: str | None = None
    failure_message: str | None = None
    delay_factor: int = 1


_NOT_PROCESSED = "The bank could not process this debit and gave no reason."
_LATER = 36

DEBITS: dict[str, Debit] = {
    "success": Debit(),
    "success_later": Debit(delay_factor=_LATER),
    "failure": Debit("generic_could_not_process", _NOT_PROCESSED),
    "failure_later": Debit("generic_could_not_process", _NOT_PROCESSED, _LATER),
    "insufficient_funds": Debit("insufficient_funds", "The account does not hold enough money."),
    "source_limit": Debit("charge_exceeds_source_limit", "The amount exceeds the limit of this account."),
    "weekly_limit": Debit("charge_exceeds_weekly_limit", "The amount exceeds the weekly limit."),
}

# The test accounts, with what becomes of a debit.
IBANS: dict[str, str] = {
    "AT611904300234573201": "success",
    "AT321904300235473204": "success_later",
    "AT861904300235473202": "failure",
    "AT051904300235473205": "failure_later",
    "AT981904300002222227": "insufficient_funds",
    "AT981904300000343434": "source_limit",
    "AT601904300000121212": "weekly_limit",
    "BE62510007547061": "success",
    "CH9300762011623852957": "success",
    "DE89370400440532013000": "success",
    "DE08370400440532013003": "success_later",
    "DE62370400440532013001": "failure",
    "DE78370400440532013004": "failure_later",
    "DE65370400440002222227": "insufficient_funds",
    "EE382200221020145685": "success",
    "ES0700120345030000067890": "success",
    "FI2112345600000785": "success",
    "FR1420041010050500013M02606": "success",
    "GB82WEST12345698765432": "success",
    "IE29AIBK93115212345678": "success",
    "IT40S0542811101000000123456": "success",
    "LT121000011101001000": "success",
    "LU280019400644750000": "success",
    "NL39RABO0300065264": "success",
    "NO9386011117947": "success",
    "PT50000201231234567890154": "success",
    "SE3550000000054910000003": "success",
}


def is_iban(number: str) -> bool:
    """Tell whether the check digits of an IBAN without spaces are right. Source: ISO 13616, ISO 7064."""
    if _IBAN.fullmatch(number) is None:
        return False
    return int("".join(str(int(character, 36)) for character in number[4:] + number[:4])) % 97 == 1
