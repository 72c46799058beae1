"""Bank accounts in requests: parameters, checks, and what is kept.

Account numbers do not leave this module: what is stored contains none.
"""

import re
from typing import Annotated, ClassVar, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from fastpay import limits
from fastpay.api.common_params import Name, Part, value_or
from fastpay.api.context import Call
from fastpay.api.test_numbers import refuse_in_live_mode, unknown_number
from fastpay.domain import bank_accounts, cards, money
from fastpay.domain.bank_accounts import BankAccount, SepaDebit
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


class BankAccountParams(Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A bank account that a token stands for."""

    is_forgotten: ClassVar[bool] = True
    kept: ClassVar[tuple[str, ...]] = ("account_holder_name", "routing_number")

    account_number: AccountNumber
    country: Annotated[str, Meta(min_length=2, max_length=2)]
    account_holder_name: Name | None = None
    account_holder_type: Literal["company", "individual"] | None = None
    account_type: Literal["checking", "savings"] | None = None
    currency: Name | UnsetType = UNSET
    routing_number: Name | UnsetType = UNSET

    def __repr__(self) -> str:
        """Show nothing of the account."""
        return "BankAccountParams(...)"


def bank_account(call: Call, params: BankAccountParams, *, param: str) -> BankAccount:
    """Return a bank account as it is stored: one of the United States, or one with an IBAN.

    Raises: InvalidRequest, CardDeclined.
    """
    number, routing = in_canonical_form(params.account_number), value_or(params.routing_number, None)
    name = f"{param}[account_number]"
    is_american = params.country == "US"
    if is_american:
        if routing is None or not bank_accounts.is_routing_number(routing):
            raise InvalidRequest(
                "An account in the United States has a routing number of nine digits.",
                code="parameter_missing" if routing is None else "routing_number_invalid",
                param=f"{param}[routing_number]",
            )
    elif not bank_accounts.is_iban(number) or number[:2] != params.country:
        raise InvalidRequest(
            f"This is not a valid IBAN of the country {params.country!a}.",
            code="account_number_invalid",
            param=name,
        )
    if call.scope.livemode:
        raise unknown_number(call)
    is_known = routing == bank_accounts.US_TEST_BANK and number in bank_accounts.US_ACCOUNTS
    if not (is_known if is_american else number in IBANS):
        raise InvalidRequest(
            "In test mode, use the numbers of a test account.", code="bank_account_unusable", param=name
        )
    currency = value_or(params.currency, "usd" if is_american else "eur")
    return BankAccount(
        country=params.country,
        currency=money.parse_currency(currency, param=f"{param}[currency]"),
        fingerprint=cards.fingerprint(f"{routing} {number}", call.credentials.fingerprint_key),
        last4=number[-4:],
        account_holder_name=params.account_holder_name,
        account_holder_type=params.account_holder_type,
        account_type=params.account_type,
        routing_number=routing,
    )


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
