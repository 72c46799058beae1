"""The double-entry ledger: accounts with four counters, and transfers that move them two at a time.

Every transfer adds the same amount to one account's debits and another's credits, so that the sum over all
accounts of a currency is zero, always. Nothing is ever edited away: a hold is posted or voided by a later
transfer, a refund is a new transfer the other way round.
"""

import functools
from collections.abc import Collection, Mapping

import msgspec

from fastpay import limits
from fastpay.domain.identifiers import Scope, derived
from fastpay.errors import InsufficientFunds, InvalidRequest

# The accounts of every tenant, mode and currency, with their normal side: D(ebit) or C(redit).
NORMAL_SIDES: dict[str, str] = {"processor": "D", "pending": "C", "available": "C", "fees": "C"}
# Codes that no client may give an account: those above, and those that payments will need.
RESERVED_CODES = frozenset((*NORMAL_SIDES, "disputes", "in_transit", "bank"))


class Account(msgspec.Struct, frozen=True, gc=False):
    """A balance holder in one currency.

    The balance is credits minus debits on a C account and debits minus credits on a D account.
    `min_balance` None means unbounded. Pending counters hold what is reserved and not yet moved.
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
        """The balance without what is reserved on the way out; what may come in does not count."""
        return self.balance - (self.debits_pending if self.normal_side == "C" else self.credits_pending)


class Transfer(msgspec.Struct, frozen=True, gc=False):
    """An immutable move of `amount` from the debit account to the credit account.

    `kind` says what for; `phase` is "posted", "hold" (reserves, moves nothing yet), "post" or "void" (ends
    the hold `hold_id`: a post moves `amount` and releases the rest of the hold, a void moves nothing).
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
def chart(scope: Scope, currency: str) -> Mapping[str, str]:
    """Return the identifiers of all the tenant's accounts in one currency, by code."""
    mode = "live" if scope.livemode else "test"
    return {code: "lacc_" + derived(scope.tenant_id, mode, currency, code) for code in NORMAL_SIDES}


def account_id(scope: Scope, currency: str, code: str) -> str:
    """Return the identifier of the tenant's account of this code and currency."""
    return chart(scope, currency)[code]


def account_ids(scope: Scope, currency: str) -> Collection[str]:
    """Return the identifiers of all the tenant's accounts in one currency."""
    return chart(scope, currency).values()


def open_account(scope: Scope, currency: str, code: str) -> Account:
    """Return a new account with nothing on it."""
    return Account(
        id=account_id(scope, currency, code), code=code, currency=currency, normal_side=NORMAL_SIDES[code]
    )


def debit(account: Account, *, posted: int = 0, pending: int = 0) -> Account:
    """Return the account after its debit counters moved.

    What is reserved counts as if it was moved, so that what is held can always be posted.
    Raises: InvalidRequest above what an account counts, InsufficientFunds below the account's own bound.
    """
    debits_posted, debits_pending = account.debits_posted + posted, account.debits_pending + pending
    if debits_posted + debits_pending > limits.ledger_counter_max and (posted or pending > 0):
        raise _full(account, "debits")
    return _within_bounds(
        msgspec.structs.replace(account, debits_posted=debits_posted, debits_pending=debits_pending)
    )


def credit(account: Account, *, posted: int = 0, pending: int = 0) -> Account:
    """Return the account after its credit counters moved. Raises: as `debit`."""
    credits_posted, credits_pending = account.credits_posted + posted, account.credits_pending + pending
    if credits_posted + credits_pending > limits.ledger_counter_max and (posted or pending > 0):
        raise _full(account, "credits")
    return _within_bounds(
        msgspec.structs.replace(account, credits_posted=credits_posted, credits_pending=credits_pending)
    )


def _full(account: Account, counters: str) -> InvalidRequest:
    return InvalidRequest(
        f"The {counters} of the account {account.code} would come to more than "
        f"{limits.ledger_counter_max:,}, the most that an account counts. Use another account.",
        code="ledger_account_full",
    )


def _within_bounds(account: Account) -> Account:
    assert account.debits_pending >= 0
    assert account.credits_pending >= 0
    if account.min_balance is not None and account.available < account.min_balance:
        raise InsufficientFunds(
            f"The account {account.code} does not hold enough {account.currency} for this."
        )
    return account
