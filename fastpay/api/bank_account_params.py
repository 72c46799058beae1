"""Bank accounts in requests: parameters, checks, and what is kept.

Account numbers do not leave this module: what is stored contains none.
"""

import re
from typing import Annotated, ClassVar

import msgspec
from msgspec import Meta

from fastpay import limits
from fastpay.api.common_params import Part
from fastpay.api.context import Call
from fastpay.api.test_numbers import refuse_in_live_mode, unknown_number
from fastpay.domain import bank_accounts, cards
from fastpay.domain.bank_accounts import SepaDebit
from fastpay.domain.iban_table import IBANS
from fastpay.domain.objects import BillingDetails
from fastpay.domain.payment_methods import NewCard
from fastpay.errors import InvalidRequest

AccountNumber = Annotated[str, Meta(min_length=1, max_length=limits.secret_number_chars_max)]

_SEPARATORS = re.compile(r"[ -]")
# The holder of the accounts behind magic payment methods. A debit needs both.
_MAGIC_HOLDER = BillingDetails(email="holder@example.com", name="Test Holder")


class SepaDebitParams(Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A bank account."""

    is_forgotten: ClassVar[bool] = True

    iban: Annotated[str, Meta(max_length=limits.secret_number_chars_max)]

    def canonical(self) -> "SepaDebitParams":
        """Return it in canonical form."""
        return msgspec.structs.replace(self, iban=in_canonical_form(self.iban))

    def __repr__(self) -> str:
        """Show nothing of the account."""
        return "SepaDebitParams(...)"


def in_canonical_form(number: str) -> str:
    """Return the number of an account without separators."""
    return _SEPARATORS.sub("", number).upper()


def sepa_debit(call: Call, params: SepaDebitParams, *, param: str) -> SepaDebit:
    """Return the account of an IBAN as it is stored. `param` is the parameter that has it.

    Raises: InvalidRequest, CardDeclined.
    """
    number = in_canonical_form(params.iban)
    if not bank_accounts.is_iban(number):
        raise InvalidRequest("This is not a valid IBAN.", code="account_number_invalid", param=param)
    if call.scope.livemode:
        raise unknown_number(call)
    if number not in IBANS:
        raise InvalidRequest(
            "In test mode, use the IBAN of a test account.", code="bank_account_unusable", param=param
        )
    return _test_account(call, number)


def magic_account(call: Call, number: str) -> NewCard:
    """Return the payment method of a magic one, by its IBAN. Raises: CardDeclined in live mode."""
    refuse_in_live_mode(call)
    return NewCard(type="sepa_debit", sepa_debit=_test_account(call, number), billing_details=_MAGIC_HOLDER)


def _test_account(call: Call, number: str) -> SepaDebit:
    return SepaDebit(
        bank_code=number[4:12] if number.startswith("DE") else number[4:9],
        behaviour=IBANS[number],
        country=number[:2],
        fingerprint=cards.fingerprint(number, call.credentials.fingerprint_key),
        last4=number[-4:],
    )
