"""Settlements: what a processor paid out for the payments of one file and currency, and whether it is right.

    matching -> open -> closed
       ^_________|

A file is imported first, beside the books. Then its rows are matched with attempts
(`engine/processors/settlement_matching.py`), which ends with the sums of all rows and how many differ. A
person may accept a difference, which posts it to `settlement_differences` with who and why. At zero
difference, and no earlier, the settlement closes: what `processor` owed becomes `settlement_bank` and
`processor_fees`. A closed one never changes.

    difference of a row    what the file says minus what is booked here
    zero difference        no row is left that differs, and gross = ours + accepted
"""

from collections.abc import Iterable
from typing import ClassVar, Literal

import msgspec

from fastpay import limits
from fastpay.domain import ledger
from fastpay.domain.objects import StoredObject
from fastpay.domain.plan import Draft, OnObject, Workspace
from fastpay.domain.settlement_rows import RowStatus
from fastpay.errors import InvalidRequest, UnexpectedState

_ACCOUNTS = ("processor", "settlement_bank", "processor_fees", "settlement_differences")


class Acceptance(msgspec.Struct, frozen=True, gc=False, array_like=True, kw_only=True):
    """A difference that a person has accepted. `position` is the row's."""

    position: int
    status: RowStatus
    amount: int
    by: str
    reason: str
    at: int
    transfer: str


class Sums(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What all rows of a settlement come to. `ours` is what is booked here for the payments in them.

    `differences` counts the rows that differ and are not accepted.
    """

    rows: int = 0
    gross: int = 0
    fee: int = 0
    net: int = 0
    ours: int = 0
    differences: int = 0


class Settlement(StoredObject, frozen=True, gc=False, array_like=True, kw_only=True):
    """What one file of a processor says about one currency.

    `revision` counts how often its rows were matched. `file` is a digest of the file. A payment may be
    `lag_days` older than its value date. `accepted` is the sum of the acceptances; the other sums are those
    of `Sums`.
    """

    prefix: ClassVar[str] = "stl"
    noun: ClassVar[str] = "settlement"

    processor: str
    currency: str
    file: str
    lag_days: int = 0
    status: Literal["matching", "open", "closed"] = "matching"
    revision: int = 1
    rows: int = 0
    gross: int = 0
    fee: int = 0
    net: int = 0
    ours: int = 0
    differences: int = 0
    accepted: int = 0
    acceptances: tuple[Acceptance, ...] = ()
    closed_at: int | None = None


class BeginMatching(OnObject, frozen=True, gc=False, kw_only=True):
    """Begin to match the rows of a settlement, which is made if this is the first time."""

    processor: str
    currency: str
    file: str
    lag_days: int = 0

    def execute(self, workspace: Workspace, draft: Draft) -> str:
        """Write it. Whoever matched it before this stops. Raises: UnexpectedState if it is closed."""
        found = workspace.find(self.id)
        if not isinstance(found, Settlement):
            made = Settlement(
                id=self.id,
                created=draft.moment_s,
                processor=self.processor,
                currency=self.currency,
                file=self.file,
                lag_days=self.lag_days,
            )
            draft.put(made, "settlement.created")
            return self.id
        _refuse_closed(found)
        begun = msgspec.structs.replace(found, status="matching", revision=found.revision + 1)
        draft.put(begun, "settlement.updated")
        return self.id


class RecordMatching(OnObject, frozen=True, gc=False, kw_only=True):
    """Write what the rows come to, after all were matched."""

    revision: int
    sums: Sums

    def execute(self, workspace: Workspace, draft: Draft) -> str:
        """Open it. Raises: UnexpectedState if somebody else has begun to match it meanwhile."""
        found = workspace.require(Settlement, self.id)
        if found.status != "matching" or found.revision != self.revision:
            raise UnexpectedState("This settlement is being matched by somebody else.")
        sums = msgspec.structs.asdict(self.sums)
        draft.put(msgspec.structs.replace(found, status="open", **sums), "settlement.updated")
        return self.id


class AcceptDifference(OnObject, frozen=True, gc=False, kw_only=True):
    """Accept the difference of a row, as it was when the rows were matched for the `revision`th time."""

    position: int
    status: RowStatus
    amount: int
    revision: int
    by: str
    reason: str

    def needs(self, workspace: Workspace) -> Iterable[str]:
        """Return the identifiers to load."""
        return _with_accounts(workspace, self.id)

    def execute(self, workspace: Workspace, draft: Draft) -> str:
        """Post it. Raises: UnexpectedState if it was accepted, or is not what it was; InvalidRequest."""
        found = _require_open(workspace, self.id)
        if found.revision != self.revision:
            raise UnexpectedState("The rows of this settlement were matched again. Look at the row again.")
        if any(one.position == self.position for one in found.acceptances):
            raise UnexpectedState("The difference of this row is accepted already.")
        if self.status == "matched" or found.differences == 0:
            raise UnexpectedState("This row does not differ from what is booked here.")
        if len(found.acceptances) >= limits.settlement_acceptances_max:
            raise InvalidRequest(
                f"At most {limits.settlement_acceptances_max} differences of a settlement can be accepted. "
                "Correct the file."
            )
        transfer = _post(
            draft,
            found,
            "settlement_difference",
            debit="processor",
            credit="settlement_differences",
            amount=self.amount,
        )
        acceptance = Acceptance(
            position=self.position,
            status=self.status,
            amount=self.amount,
            by=self.by,
            reason=self.reason,
            at=draft.moment_s,
            transfer=transfer,
        )
        changed = msgspec.structs.replace(
            found,
            differences=found.differences - 1,
            accepted=found.accepted + self.amount,
            acceptances=(*found.acceptances, acceptance),
        )
        draft.put(changed, "settlement.updated")
        return self.id


class CloseSettlement(OnObject, frozen=True, gc=False, kw_only=True):
    """Close a settlement at zero difference."""

    def needs(self, workspace: Workspace) -> Iterable[str]:
        """Return the identifiers to load."""
        return _with_accounts(workspace, self.id)

    def execute(self, workspace: Workspace, draft: Draft) -> str:
        """Post what came to the bank, and the fees. Raises: UnexpectedState with a difference."""
        found = _require_open(workspace, self.id)
        left = found.gross - found.ours - found.accepted
        if found.differences or left:
            raise UnexpectedState(
                f"This settlement has {found.differences} rows that differ, and {left} is left of its "
                "amounts. Match it again, or accept the differences.",
                code="settlement_differs",
            )
        _post(draft, found, "settlement", debit="settlement_bank", credit="processor", amount=found.net)
        _post(draft, found, "settlement_fee", debit="processor_fees", credit="processor", amount=found.fee)
        closed = msgspec.structs.replace(found, status="closed", closed_at=draft.moment_s)
        draft.put(closed, "settlement.closed")
        return self.id


def _require_open(workspace: Workspace, identifier: str) -> Settlement:
    found = workspace.require(Settlement, identifier)
    _refuse_closed(found)
    if found.status != "open":
        raise UnexpectedState("The rows of this settlement are being matched. Try again when they are.")
    return found


def _refuse_closed(settlement: Settlement) -> None:
    if settlement.status == "closed":
        raise UnexpectedState("This settlement is closed, and never changes.")


def _with_accounts(workspace: Workspace, identifier: str) -> Iterable[str]:
    found = workspace.find(identifier)
    if not isinstance(found, Settlement):
        return (identifier,)
    return (identifier, *ledger.ids_of(workspace.scope, found.currency, *_ACCOUNTS))


def _post(draft: Draft, settlement: Settlement, kind: str, *, debit: str, credit: str, amount: int) -> str:
    """Move an amount, or below zero as much the other way. Return the transfer, "" if nothing moves."""
    if amount == 0:
        return ""
    if amount < 0:
        debit, credit = credit, debit
    return draft.transfer(
        kind,
        debit=debit,
        credit=credit,
        currency=settlement.currency,
        amount=abs(amount),
        source_id=settlement.id,
    )
