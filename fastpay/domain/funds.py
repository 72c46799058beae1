"""When money becomes available: the balance, and the release of what captures left pending.

A capture credits `pending`. Nothing is written for it that says when its money becomes available, so that
no payment pays for this. Instead the balance has a watermark, the identifier of a transfer: captures up to
it are released. Identifiers rise with time, so the captures that are due are the next ones above the
watermark, in the order of the primary key. One transfer for each currency releases hundreds of captures.

    transfers by identifier   ... capture capture refund capture | capture hold capture ...
                                        released                 ^ watermark

A refund debits `pending` until its charge is released, and `available` from then on. So what a release
moves for a charge is what is left of the charge at that moment. A charge that is captured in parts is
released part by part, and its refunds always debit `available`. What a capture passes on to a connected
account it takes from where it put the money.
"""

import functools
from collections import Counter
from collections.abc import Iterable
from typing import ClassVar

import msgspec

from fastpay import limits
from fastpay.domain import ledger
from fastpay.domain.identifiers import LOWEST, Scope, derived, digits, moment_of
from fastpay.domain.objects import Charge, StoredObject
from fastpay.domain.options import ChargeExtras
from fastpay.domain.plan import Draft, Workspace

DAY_S = 24 * 3600


def transaction_of(transfer: str) -> str:
    """Return the identifier of the balance transaction that shows a transfer of the ledger."""
    return "txn_" + digits(transfer)


def move(
    draft: Draft, kind: str, currency: str, amount: int, *, debit: str, credit: str, source_id: str
) -> str:
    """Move an amount between two accounts, and return the identifier of its balance transaction."""
    return transaction_of(
        draft.transfer(
            kind, debit=debit, credit=credit, currency=currency, amount=amount, source_id=source_id
        )
    )


class PaidOut(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """How far the automatic payouts of a currency have come: a watermark, and a number of the sequence."""

    released_through: str = LOWEST
    sequence: int = 0


class Balance(StoredObject, frozen=True, gc=False, array_like=True, kw_only=True):
    """What a tenant had in one mode when funds last became available: amounts by currency.

    Captures up to the transfer `released_through` (32 digits) are released. `credited` is the sum of all
    credits of the `available` accounts that an event has told of. `paid_out_day` is the first day of the
    last period that was paid out automatically, in days since 1970. `paid_out` has by currency the
    watermark and the number of the sequence as of its last automatic payout.
    """

    prefix: ClassVar[str] = "bal"
    noun: ClassVar[str] = "balance"

    released_through: str = LOWEST
    credited: int = 0
    available: dict[str, int] = msgspec.field(default_factory=dict)
    pending: dict[str, int] = msgspec.field(default_factory=dict)
    paid_out_day: int = -1
    paid_out: dict[str, PaidOut] = msgspec.field(default_factory=dict)


class ReleaseFunds(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Make the money of captures available: those above the watermark `after`, in order, that are due.

    `captures` are the digits of their transfers, `charges` the charge of each. `through` is the last
    transfer that was examined, a capture or not. Without captures, an event tells of what became available
    otherwise. The funds task sends this command.
    """

    after: str
    through: str
    captures: tuple[str, ...] = ()
    charges: tuple[str, ...] = ()
    currencies: tuple[str, ...] = ()

    @property
    def weight(self) -> int:
        """The weight in a batch: the charges that it reads."""
        return 1 + len(self.captures) // 8

    def needs(self, workspace: Workspace) -> Iterable[str]:
        """Return the identifiers to load. Charges that are loaded name their accounts."""
        scope = workspace.scope
        needed = [balance_id(scope), *self.charges]
        for currency in {*self.currencies, *self._charged(workspace)}:
            needed += ledger.ids_of(scope, currency, "pending", "available")
        return needed

    def execute(self, workspace: Workspace, draft: Draft) -> str:
        """Move what is due. Do nothing if another instance has moved the watermark already."""
        balance = current(workspace, draft)
        if balance.released_through != self.after:
            return balance.id
        amounts, through = self._due(workspace, draft)
        for currency, amount in sorted(amounts.items()):
            if amount:
                sides = ("pending", "available") if amount > 0 else ("available", "pending")
                draft.transfer(
                    "release",
                    debit=sides[0],
                    credit=sides[1],
                    currency=currency,
                    amount=abs(amount),
                    source_id=balance.id,
                )
        noted = noted_balance(draft, balance, {*self.currencies, *amounts})
        if noted.credited > balance.credited:
            draft.put(msgspec.structs.replace(noted, released_through=through), "balance.available")
        elif through != balance.released_through:
            # Clients do not see this: nothing became available.
            draft.put(msgspec.structs.replace(balance, released_through=through), "ledger.balance.updated")
        return balance.id

    def _charged(self, workspace: Workspace) -> set[str]:
        """Return the currencies of the charges that are loaded."""
        found = map(workspace.find, self.charges)
        return {charge.currency for charge in found if isinstance(charge, Charge)}

    def _due(self, workspace: Workspace, draft: Draft) -> tuple[Counter[str], str]:
        """Return the amount to release in each currency, and the watermark after that."""
        amounts: Counter[str] = Counter()
        through = self.after
        for transfer, identifier in zip(self.captures, self.charges, strict=True):
            charge = workspace.find(identifier)
            assert isinstance(charge, Charge)
            if not charge.funds_available:
                if moment_of(transfer) // 1000 + charge.funds_delay_days * DAY_S > draft.moment_s:
                    return amounts, through
                amounts[charge.currency] += _left(charge, transfer)
            through = transfer
        return amounts, self.through


@functools.lru_cache(maxsize=limits.charts_kept)
def balance_id(scope: Scope) -> str:
    """Return the identifier of a tenant's balance in one mode."""
    return f"{Balance.prefix}_" + derived(scope.tenant_id, "live" if scope.livemode else "test", Balance.noun)


def current(workspace: Workspace, draft: Draft) -> Balance:
    """Return the balance, a new one if nothing was ever released."""
    found = workspace.find(balance_id(workspace.scope))
    if isinstance(found, Balance):
        return found
    return Balance(id=balance_id(workspace.scope), created=draft.moment_s)


def is_released(capture: str, balance: StoredObject | None) -> bool:
    """Tell whether a capture is released, given its transfer and the tenant's balance if there is one."""
    return isinstance(balance, Balance) and digits(capture) <= balance.released_through


def account_of(workspace: Workspace, charge: Charge) -> str:
    """Return the code of the account that refunds of a captured charge debit. Needs `balance_id`."""
    if charge.funds_available or _has_captures(charge):
        return "available"
    assert charge.balance_transaction is not None
    balance = workspace.find(balance_id(workspace.scope))
    return "available" if is_released(charge.balance_transaction, balance) else "pending"


def transferred(charge: Charge) -> int:
    """Return how much of a charge is with connected accounts."""
    return 0 if charge.extras is None else charge.extras.transferred


def with_transferred(charge: Charge, amount: int) -> Charge:
    """Return the charge with an amount that went to a connected account, or came back if it is negative."""
    extras = charge.extras or ChargeExtras()
    extras = msgspec.structs.replace(extras, transferred=extras.transferred + amount)
    return msgspec.structs.replace(charge, extras=extras)


def _has_captures(charge: Charge) -> bool:
    """Tell whether a charge is captured in parts."""
    return charge.extras is not None and bool(charge.extras.captures)


def _left(charge: Charge, transfer: str) -> int:
    """Return what is pending of a charge by one of its captures."""
    if not _has_captures(charge):
        return charge.amount_captured - charge.fee - charge.amount_refunded - transferred(charge)
    assert charge.extras is not None
    return sum(
        one.amount - one.fee - one.transferred + one.application_fee_amount
        for one in charge.extras.captures
        if digits(one.balance_transaction) == transfer
    )


def noted_balance(draft: Draft, balance: Balance, currencies: Iterable[str]) -> Balance:
    """Return the balance with the present amounts of these currencies, and with what was ever credited."""
    available, pending = dict(balance.available), dict(balance.pending)
    credited = 0
    for currency in sorted(currencies):
        for code, amounts in (("available", available), ("pending", pending)):
            account = draft.account(currency, code)
            amounts[currency] = account.balance
            if code == "available":
                credited += account.credits_posted
    return msgspec.structs.replace(
        balance, available=available, pending=pending, credited=min(credited, 2**63 - 1)
    )
