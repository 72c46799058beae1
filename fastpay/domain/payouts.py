"""Commands on payouts: money that leaves the available balance for a bank account.

    pending -> in_transit -> paid
       |            \\-----> failed
       \\-> canceled

In test mode time makes the steps: each one comes `step_s` after the one before. A payout moves
its amount from `available` to `in_transit` when it is created, and from there to `bank` when it is paid, or
back. A reversal is a payout of a negative amount that brings a paid one back: from `bank` to `in_transit`,
and to `available` once it arrives.
"""

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import ClassVar

import msgspec

from fastpay.domain import funds, ledger, processing
from fastpay.domain import metadata as metadata_rules
from fastpay.domain.identifiers import LOWEST
from fastpay.domain.objects import StoredObject
from fastpay.domain.plan import Draft, OnObject, Workspace
from fastpay.errors import InsufficientFunds, InvalidRequest

# What the bank accounts of test mode do with a payout: the code of the failure, None if it is paid.
TEST_BANK_ACCOUNTS: Mapping[str, str | None] = {
    "ba_success": None,
    "ba_accountClosed": "account_closed",
    "ba_debitNotAuthorized": "debit_not_authorized",
    "ba_insufficientFunds": "insufficient_funds",
    "ba_invalidCurrency": "invalid_currency",
    "ba_noAccount": "no_account",
}
_FAILURES: Mapping[str, str] = {
    "account_closed": "The bank account has been closed.",
    "debit_not_authorized": "Debit transactions are not approved on your bank account.",
    "insufficient_funds": "The bank account does not hold enough money for this debit.",
    "invalid_currency": "The bank was unable to process this payout because of its currency.",
    "no_account": "The bank account details on file are probably incorrect. No bank account could be located "
    "with those details.",
}
# How many steps a payout takes until it arrives.
ARRIVAL_STEPS = 2
_EPOCH = dt.date(1970, 1, 1)


class Payout(StoredObject, frozen=True, gc=False, array_like=True, kw_only=True):
    """Money on its way to a bank account, or back from it.

    `due_at` is the time of its next step, `step_s` the time between two steps.

    An automatic payout pays out what became available since the one before: what was released above the
    transfer `released_after` through `released_through`, and what was available at once and was written
    behind the number `sequence_after` of the sequence, through `sequence_through`.
    """

    prefix: ClassVar[str] = "po"
    noun: ClassVar[str] = "payout"
    param: ClassVar[str] = "payout"

    amount: int
    currency: str
    arrival_date: int
    status: str = "pending"
    automatic: bool = False
    balance_transaction: str | None = None
    description: str | None = None
    destination: str | None = None
    due_at: int | None = None
    failure_balance_transaction: str | None = None
    failure_code: str | None = None
    failure_message: str | None = None
    metadata: dict[str, str] = msgspec.field(default_factory=dict)
    method: str = "standard"
    original_payout: str | None = None
    released_after: str = LOWEST
    released_through: str = LOWEST
    reversed_by: str | None = None
    source_type: str = "card"
    sequence_after: int = 0
    sequence_through: int = 0
    statement_descriptor: str | None = None
    step_s: int = 0


class CreatePayout(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Pay out an amount of the available balance. `fields` are checked fields of `Payout`."""

    amount: int
    currency: str
    step_s: int
    fields: Mapping[str, object] = {}
    metadata: Mapping[str, str] = {}

    def needs(self, workspace: Workspace) -> Iterable[str]:
        """Return the identifiers to load."""
        return _accounts(workspace, self.currency)

    def execute(self, workspace: Workspace, draft: Draft) -> str:
        """Move the money on its way. Raises: InsufficientFunds; InvalidRequest in live mode."""
        # The steps of a payout are made by time, and no bank is asked.
        processing.refuse_in_live_mode(workspace, "A payout")
        if workspace.account(self.currency, "available").available < self.amount:
            raise InsufficientFunds(
                "You have insufficient funds in your available balance for this payout. Use "
                "pm_card_bypassPending to add to it in test mode.",
                param="amount",
            )
        made = _create(draft, self.amount, self.currency, self.step_s, self.fields)
        draft.put(
            msgspec.structs.replace(made, metadata=metadata_rules.merge({}, self.metadata)), "payout.created"
        )
        return made.id


class PayOutBalance(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Pay out all that is available in these currencies, once a period. The funds task sends this command."""

    currencies: tuple[str, ...]
    step_s: int

    def needs(self, workspace: Workspace) -> Iterable[str]:
        """Return the identifiers to load."""
        needed = [funds.balance_id(workspace.scope)]
        for currency in self.currencies:
            needed += _accounts(workspace, currency)
        return needed

    def execute(self, workspace: Workspace, draft: Draft) -> str:
        """Create a payout in each currency. Do nothing if this period was paid out, or nothing is there.

        In live mode there is nothing to do: no bank is asked.
        """
        balance = funds.current(workspace, draft)
        period = period_start(workspace.book.rules.payout_interval, draft.moment_s)
        if period is None or balance.paid_out_day >= period or workspace.scope.livemode:
            return balance.id
        paid_out = dict(balance.paid_out)
        for currency in sorted(self.currencies):
            amount = workspace.account(currency, "available").available
            if amount > 0:
                before = paid_out.get(currency, funds.PaidOut())
                fields = {
                    "automatic": True,
                    "description": "Payout of the balance",
                    "released_after": before.released_through,
                    "released_through": balance.released_through,
                    "sequence_after": before.sequence,
                    "sequence_through": workspace.sequence,
                }
                draft.put(_create(draft, amount, currency, self.step_s, fields), "payout.created")
                paid_out[currency] = funds.PaidOut(balance.released_through, workspace.sequence)
        if paid_out != balance.paid_out:
            noted = msgspec.structs.replace(balance, paid_out_day=period, paid_out=paid_out)
            draft.put(noted, "ledger.balance.updated")
        return balance.id


class UpdatePayout(OnObject, frozen=True, gc=False, kw_only=True):
    """Change a payout's metadata; None clears all of it."""

    metadata: Mapping[str, str] | None = {}

    def execute(self, workspace: Workspace, draft: Draft) -> str:
        """Write the changed payout."""
        payout = workspace.require(Payout, self.id)
        merged = metadata_rules.merge(payout.metadata, self.metadata)
        draft.put(msgspec.structs.replace(payout, metadata=merged), "payout.updated")
        return payout.id


class CancelPayout(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Cancel a payout that has not been sent."""

    id: str

    def needs(self, workspace: Workspace) -> Iterable[str]:
        """Return the identifiers to load. A loaded payout names its accounts."""
        return _with_accounts(workspace, self.id)

    def execute(self, workspace: Workspace, draft: Draft) -> str:
        """Move the money back. Raises: InvalidRequest if the payout is not pending, automatic or a
        reversal."""
        payout = workspace.require(Payout, self.id)
        if payout.status != "pending" or payout.automatic or payout.amount < 0:
            raise InvalidRequest(
                "Only a payout that you created and that is still pending can be canceled. "
                f"{payout.id} has a status of {payout.status}.",
                code="payout_not_cancelable",
            )
        back = _return(draft, payout, "payout_cancel")
        changed = msgspec.structs.replace(
            payout, status="canceled", due_at=None, failure_balance_transaction=back
        )
        draft.put(changed, "payout.canceled")
        return payout.id


class ReversePayout(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Bring a paid payout back, as a payout of a negative amount."""

    id: str
    step_s: int
    metadata: Mapping[str, str] = {}

    def needs(self, workspace: Workspace) -> Iterable[str]:
        """Return the identifiers to load. A loaded payout names its accounts."""
        return _with_accounts(workspace, self.id)

    def execute(self, workspace: Workspace, draft: Draft) -> str:
        """Take the money from the bank. Raises: InvalidRequest if the payout is not paid, or reversed."""
        payout = workspace.require(Payout, self.id)
        if payout.status != "paid" or payout.amount < 0 or payout.reversed_by is not None:
            reason = "has been reversed" if payout.reversed_by else f"has a status of {payout.status}"
            raise InvalidRequest(
                f"Only a paid payout can be reversed, and only once. {payout.id} {reason}.",
                code="payout_reversal_not_allowed",
            )
        reversal = Payout(
            id=draft.new_id(Payout.prefix),
            created=draft.moment_s,
            amount=-payout.amount,
            currency=payout.currency,
            arrival_date=draft.moment_s + ARRIVAL_STEPS * self.step_s,
            description=payout.description,
            destination=payout.destination,
            due_at=draft.moment_s + self.step_s,
            metadata=metadata_rules.merge({}, self.metadata),
            method=payout.method,
            original_payout=payout.id,
            statement_descriptor=payout.statement_descriptor,
            step_s=self.step_s,
        )
        _move(draft, reversal, "payout_return", debit="bank", credit="in_transit")
        draft.put(reversal, "payout.created")
        draft.put(msgspec.structs.replace(payout, reversed_by=reversal.id), "payout.updated")
        return reversal.id


class AdvancePayout(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Take the next step of a payout whose time has come. The funds task sends this command."""

    id: str

    def needs(self, workspace: Workspace) -> Iterable[str]:
        """Return the identifiers to load. A loaded payout names its accounts."""
        return _with_accounts(workspace, self.id)

    def execute(self, workspace: Workspace, draft: Draft) -> str:
        """Send, pay or fail the payout. Do nothing if no step is due."""
        payout = workspace.require(Payout, self.id)
        if payout.due_at is None or payout.due_at > draft.moment_s:
            return payout.id
        if payout.status == "pending":
            due_at = draft.moment_s + payout.step_s
            draft.put(msgspec.structs.replace(payout, status="in_transit", due_at=due_at), "payout.updated")
            return payout.id
        failure = TEST_BANK_ACCOUNTS.get(payout.destination or "")
        if failure is not None and payout.amount > 0:
            failed = msgspec.structs.replace(
                payout,
                status="failed",
                due_at=None,
                failure_balance_transaction=_return(draft, payout, "payout_failure"),
                failure_code=failure,
                failure_message=_FAILURES[failure],
            )
            draft.put(failed, "payout.failed")
            return payout.id
        arrived = msgspec.structs.replace(payout, status="paid", due_at=None)
        if payout.amount > 0:
            _move(draft, payout, "payout_paid", debit="in_transit", credit="bank")
        else:
            transaction = _move(draft, payout, "payout_reversal", debit="in_transit", credit="available")
            arrived = msgspec.structs.replace(arrived, balance_transaction=transaction)
        draft.put(arrived, "payout.paid")
        if payout.automatic:
            draft.announce("payout.reconciliation_completed", payout.id)
        return payout.id


def period_start(interval: str, moment_s: int) -> int | None:
    """Return the first day of the period of a time, in days since 1970 (UTC). None if payouts are manual."""
    day = _EPOCH + dt.timedelta(days=moment_s // funds.DAY_S)
    match interval:
        case "daily":
            first = day
        case "weekly":
            first = day - dt.timedelta(days=day.weekday())
        case "monthly":
            first = day.replace(day=1)
        case _:
            return None
    return (first - _EPOCH).days


def _create(draft: Draft, amount: int, currency: str, step_s: int, fields: Mapping[str, object]) -> Payout:
    """Return a new payout whose money is on its way. The caller writes it."""
    made = Payout(
        **{
            "id": draft.new_id(Payout.prefix),
            "created": draft.moment_s,
            "amount": amount,
            "currency": currency,
            "arrival_date": draft.moment_s + ARRIVAL_STEPS * step_s,
            "due_at": draft.moment_s + step_s,
            "step_s": step_s,
            **fields,
        }  # type: ignore[arg-type]
    )
    transaction = _move(draft, made, "payout", debit="available", credit="in_transit")
    return msgspec.structs.replace(made, balance_transaction=transaction)


def _return(draft: Draft, payout: Payout, kind: str) -> str:
    """Move the money of a payout back, and return the balance transaction."""
    return _move(draft, payout, kind, debit="in_transit", credit="available")


def _move(draft: Draft, payout: Payout, kind: str, *, debit: str, credit: str) -> str:
    amount = abs(payout.amount)
    return funds.move(draft, kind, payout.currency, amount, debit=debit, credit=credit, source_id=payout.id)


def _accounts(workspace: Workspace, currency: str) -> list[str]:
    return ledger.ids_of(workspace.scope, currency, "available", "in_transit", "bank")


def _with_accounts(workspace: Workspace, identifier: str) -> list[str]:
    payout = workspace.find(identifier)
    return [identifier, *(_accounts(workspace, payout.currency) if isinstance(payout, Payout) else ())]
