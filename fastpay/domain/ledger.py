"""The double-entry ledger: accounts with four counters, and transfers that move them two at a time.

Every transfer adds the same amount to the debits of one account and the credits of another, so the sum over
all accounts of a currency is always zero. Transfers are never changed: a later transfer posts or voids a
hold, and a refund is a new transfer in the other direction.
"""

import functools
from collections.abc import Collection

import msgspec

from fastpay import limits
from fastpay._native.structs import replace
from fastpay.domain.identifiers import Scope, derived, is_well_formed
from fastpay.errors import InsufficientFunds, InvalidRequest

# The accounts of every tenant, mode and currency, with their normal side: D(ebit) or C(redit). `in_transit`
# holds payouts that are on their way, `bank` what has arrived, `disputes` what cardholders dispute until that
# is decided, `applied_cash` what customers transferred for payments that are not paid in full, and `in_doubt`
# holds of what processors may have moved. `settlement_bank` has what processors paid out, `processor_fees`
# what they kept, and `settlement_differences` what a person has accepted. What an import brings comes from
# `opening_balance`, and `imported_payments` has what imported payments took.
NORMAL_SIDES: dict[str, str] = {
    "processor": "D",
    "pending": "C",
    "available": "C",
    "fees": "C",
    "in_transit": "C",
    "bank": "C",
    "disputes": "C",
    "applied_cash": "C",
    "in_doubt": "C",
    "settlement_bank": "D",
    "processor_fees": "D",
    "settlement_differences": "C",
    "opening_balance": "C",
    "imported_payments": "C",
}
# Those that a payment moves: no payment loads more.
_PAYMENT_CODES = ("processor", "pending", "available", "fees")
# Codes that clients must not use.
RESERVED_CODES = frozenset(NORMAL_SIDES)
# The kinds of transfers, with the prefix of the object that each belongs to.
SOURCE_PREFIXES: dict[str, str] = {
    "capture": "ch",
    "fee": "ch",
    "available": "ch",
    "refund": "re",
    "refund_failure": "re",
    "dispute": "du",
    "dispute_fee": "du",
    "dispute_fee_returned": "du",
    "dispute_lost": "du",
    "dispute_won": "du",
    "release": "bal",
    "payout": "po",
    "payout_paid": "po",
    "payout_cancel": "po",
    "payout_failure": "po",
    "payout_return": "po",
    "payout_reversal": "po",
    "transfer": "tr",
    "transfer_reversal": "trr",
    "application_fee": "fee",
    "application_fee_refund": "fr",
    "cash_funded": "ccsbtxn",
    "cash_applied": "ccsbtxn",
    "cash_unapplied": "ccsbtxn",
    "cash_refunded": "ccsbtxn",
    "cash_returned": "ccsbtxn",
    "cash_return_canceled": "ccsbtxn",
    "cash_paid": "ch",
    "in_doubt": "att",
    "settlement": "stl",
    "settlement_fee": "stl",
    "settlement_difference": "stl",
    "opening_balance": "imp",
    "opening_charge": "ch",
    "opening_refund": "re",
}
# Connected accounts and customers have an account in each currency, whose code is their identifier.
_OWNERS = ("acct", "cus")


class Account(msgspec.Struct, frozen=True, gc=False):
    """A balance holder in one currency.

    The balance is credits minus debits on a C account and debits minus credits on a D account.
    `min_balance` None means unbounded. Pending counters are the sums of open holds.
    """

    id: str
    code: str
    currency: str
    normal_side: str
    debits_posted: int = 0
    credits_posted: int = 0
    debits_pending: int = 0
    credits_pending: int = 0
    min_balance: int | None = None

    @property
    def balance(self) -> int:
        """The posted balance, on the account's normal side."""
        difference = self.credits_posted - self.debits_posted
        return difference if self.normal_side == "C" else -difference

    @property
    def available(self) -> int:
        """The balance minus outgoing holds. Incoming holds do not count."""
        return self.balance - (self.debits_pending if self.normal_side == "C" else self.credits_pending)


class Transfer(msgspec.Struct, frozen=True, gc=False):
    """An immutable move of `amount` from the debit account to the credit account.

    `kind` is the reason. `phase` is "posted", "hold" (reserves and moves nothing), "post" or "void". The last
    two end the hold `hold_id`: a post moves `amount` and releases the rest, a void moves nothing.
    """

    id: str
    kind: str
    phase: str
    debit_account_id: str
    credit_account_id: str
    currency: str
    amount: int
    source_id: str
    hold_id: str | None = None


@functools.lru_cache(maxsize=limits.charts_kept)
def chart(scope: Scope, currency: str) -> dict[str, str]:
    """Return the identifiers of the tenant's accounts in one currency, by code, without those of owners.

    A tenant may have many connected accounts and customers, so theirs are not kept (see `account_id`).
    """
    return {code: _identify(scope, currency, code) for code in NORMAL_SIDES}


def _identify(scope: Scope, currency: str, code: str) -> str:
    return "lacc_" + derived(scope.tenant_id, "live" if scope.livemode else "test", currency, code)


def is_owner(code: str) -> bool:
    """Tell whether a code is that of a connected account or a customer."""
    return any(is_well_formed(code, prefix) for prefix in _OWNERS)


def is_own(code: str) -> bool:
    """Tell whether a code is that of an account that only payments and other commands of ours move."""
    return code in NORMAL_SIDES or is_owner(code)


def account_id(scope: Scope, currency: str, code: str) -> str:
    """Return the identifier of the tenant's account of this code and currency."""
    found = chart(scope, currency).get(code)
    if found is None:
        assert is_owner(code), code
        return _identify(scope, currency, code)
    return found


@functools.lru_cache(maxsize=limits.charts_kept)
def account_ids(scope: Scope, currency: str, is_routed: bool = False) -> Collection[str]:
    """Return the identifiers of the accounts in one currency that payments of this tenant move.

    A payment that is routed to a processor moves one more.
    """
    identifiers = chart(scope, currency)
    codes = (*_PAYMENT_CODES, "in_doubt") if is_routed else _PAYMENT_CODES
    return tuple(identifiers[code] for code in codes)


def ids_of(scope: Scope, currency: str, *codes: str) -> list[str]:
    """Return the identifiers of the tenant's accounts of these codes."""
    return [account_id(scope, currency, code) for code in codes]


def open_account(scope: Scope, currency: str, code: str) -> Account:
    """Return a new account with all counters at zero."""
    identifier, side = account_id(scope, currency, code), NORMAL_SIDES.get(code)
    if side is not None:
        return Account(identifier, code, currency, side)
    assert is_owner(code), code
    return Account(identifier, code, currency, "C", min_balance=0)


def debit(account: Account, posted: int = 0, pending: int = 0) -> Account:
    """Return the account with these amounts added to its debit counters.

    Holds count as if they were posted, so that posting a hold never fails.
    Raises: InvalidRequest above `ledger_counter_max`, InsufficientFunds below the account's `min_balance`.
    """
    debits_posted, debits_pending = account.debits_posted + posted, account.debits_pending + pending
    if debits_posted + debits_pending > limits.ledger_counter_max and (posted or pending > 0):
        raise _full(account, "debits")
    assert debits_pending >= 0
    moved = replace(account, debits_posted=debits_posted, debits_pending=debits_pending)
    return moved if moved.min_balance is None else _above_minimum(moved, moved.min_balance)


def credit(account: Account, posted: int = 0, pending: int = 0) -> Account:
    """Return the account with these amounts added to its credit counters. Raises: as `debit`."""
    credits_posted, credits_pending = account.credits_posted + posted, account.credits_pending + pending
    if credits_posted + credits_pending > limits.ledger_counter_max and (posted or pending > 0):
        raise _full(account, "credits")
    assert credits_pending >= 0
    moved = replace(account, credits_posted=credits_posted, credits_pending=credits_pending)
    return moved if moved.min_balance is None else _above_minimum(moved, moved.min_balance)


def _full(account: Account, counters: str) -> InvalidRequest:
    return InvalidRequest(
        f"The {counters} of the account {account.code} would exceed {limits.ledger_counter_max:,}, the "
        "maximum of an account. Use another account.",
        code="ledger_account_full",
    )


def _above_minimum(account: Account, min_balance: int) -> Account:
    if account.available < min_balance:
        raise InsufficientFunds(
            f"The account {account.code} does not hold enough {account.currency} for this."
        )
    return account
