"""Imports: objects of an older API, under identifiers of this server, and the balances that they begin with.

What an older API called an object is kept beside it, in an `ImportedObject` whose identifier follows from
the older one. So a second import finds it, and a request that names the older one is led to the object.

    opening_balance     the account of equity that every imported amount comes from
    imported_payments   what imported payments took, minus their refunds; the balances have the money
"""

from collections.abc import Iterable, Mapping
from typing import ClassVar, Literal

import msgspec

from fastpay.domain import ledger
from fastpay.domain.identifiers import Scope, derived
from fastpay.domain.ledger import Transfer
from fastpay.domain.objects import Charge, Customer, PaymentIntent, PaymentMethod, Refund, StoredObject
from fastpay.domain.plan import Draft, Workspace
from fastpay.errors import UnexpectedState

EQUITY, HISTORY = "opening_balance", "imported_payments"
# The accounts that may have an opening balance. What is pending becomes available by its charge alone.
OPENED = ("available", "processor")
_IMPORTED = "object.imported"

ImportedType = Literal["customer", "payment_method", "payment_intent", "charge", "refund", "opening_balance"]


class ImportedObject(StoredObject, frozen=True, gc=False, array_like=True, kw_only=True):
    """That something of an older API was imported: what it is called there and here.

    `digest` is that of all that was said of it. `transfer` moved its amount, if it has one.
    """

    prefix: ClassVar[str] = "imp"
    noun: ClassVar[str] = "imported object"

    theirs: str
    type: ImportedType
    digest: str
    ours: str | None = None
    transfer: str | None = None


class Opening(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A transfer that an import makes, between accounts that it names by their codes."""

    kind: str
    debit: str
    credit: str
    currency: str
    amount: int

    @property
    def change(self) -> int:
        """What it adds to the balance of the account that is not `EQUITY`."""
        account = self.credit if self.debit == EQUITY else self.debit
        is_debit_side = ledger.NORMAL_SIDES[account] == "D"
        return self.amount if (account == self.debit) == is_debit_side else -self.amount


class Entry(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One thing to import: an object that this server is to have, an amount, or both.

    `refers` are attributes of the object that name others, which were imported before, as the older API does.
    """

    theirs: str
    type: ImportedType
    digest: str
    customer: Customer | None = None
    payment_method: PaymentMethod | None = None
    payment_intent: PaymentIntent | None = None
    charge: Charge | None = None
    refund: Refund | None = None
    opening: Opening | None = None
    refers: Mapping[str, str] = {}

    @property
    def object(self) -> StoredObject | None:
        """The object that this server is to have."""
        return self.customer or self.payment_method or self.payment_intent or self.charge or self.refund


class ImportEntries(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Import a page of entries, as a whole. What was imported before does not change."""

    entries: tuple[Entry, ...]

    @property
    def weight(self) -> int:
        """How many plain commands it counts for in a batch."""
        return len(self.entries)

    def needs(self, workspace: Workspace) -> Iterable[str]:
        """Return the identifiers to load."""
        for entry in self.entries:
            yield imported_id(workspace.scope, entry.theirs)
            for theirs in entry.refers.values():
                yield imported_id(workspace.scope, theirs)
            if entry.opening is not None:
                opening = entry.opening
                yield from ledger.ids_of(workspace.scope, opening.currency, opening.debit, opening.credit)

    def execute(self, workspace: Workspace, draft: Draft) -> str:
        """Write what is new, with events that nobody sees. Raises: UnexpectedState, InvalidRequest."""
        identifier = ""
        for entry in self.entries:
            identifier = imported_id(workspace.scope, entry.theirs)
            found = workspace.find(identifier) or draft.changed(identifier)
            if isinstance(found, ImportedObject):
                refuse_other(found, entry)
            else:
                _import(workspace, draft, identifier, entry)
        return identifier


def imported_id(scope: Scope, theirs: str) -> str:
    """Return the identifier of the `ImportedObject` for an identifier of the older API."""
    return f"{ImportedObject.prefix}_{derived(*_parts(scope), theirs)}"


def own_id(scope: Scope, prefix: str, theirs: str, created: int) -> str:
    """Return the identifier that an object of the older API gets here.

    It has the time at which the object was created there, so that lists keep their order, and is a version 7
    UUID like all of this server's (RFC 9562 5.7).
    """
    drawn = derived(*_parts(scope), prefix, theirs)
    return f"{prefix}_{created * 1000:012x}7{drawn[:3]}8{drawn[3:18]}"


def opening_of(account: str, currency: str, amount: int) -> Opening:
    """Return the transfer that gives an account of this server its opening balance, which is not zero."""
    debit, credit = EQUITY, account
    if (ledger.NORMAL_SIDES[account] == "D") == (amount > 0):
        debit, credit = credit, debit
    return Opening(kind=EQUITY, debit=debit, credit=credit, currency=currency, amount=abs(amount))


def made_by(scope: Scope, transfer: Transfer) -> Opening:
    """Return the opening that a transfer was made by."""
    codes = {identifier: code for code, identifier in ledger.chart(scope, transfer.currency).items()}
    return Opening(
        kind=transfer.kind,
        debit=codes.get(transfer.debit_account_id, ""),
        credit=codes.get(transfer.credit_account_id, ""),
        currency=transfer.currency,
        amount=transfer.amount,
    )


def refuse_other(found: ImportedObject, entry: Entry) -> None:
    """Raise UnexpectedState if an entry says something else than what was imported before."""
    if found.digest != entry.digest:
        raise UnexpectedState(f"{entry.theirs} was imported before with other values.")


def _import(workspace: Workspace, draft: Draft, identifier: str, entry: Entry) -> None:
    stored, opening, transfer = entry.object, entry.opening, None
    if stored is not None:
        named = {name: _ours(workspace, draft, theirs) for name, theirs in entry.refers.items()}
        stored = msgspec.structs.replace(stored, **named)
        draft.put(stored, _IMPORTED)
    if opening is not None:
        transfer = draft.transfer(
            opening.kind,
            debit=opening.debit,
            credit=opening.credit,
            currency=opening.currency,
            amount=opening.amount,
            source_id=identifier if stored is None else stored.id,
        )
    imported = ImportedObject(
        id=identifier,
        created=draft.moment_s,
        theirs=entry.theirs,
        type=entry.type,
        digest=entry.digest,
        ours=None if stored is None else stored.id,
        transfer=transfer,
    )
    # One event is enough for what changes together.
    draft.put(imported, _IMPORTED if stored is None else None)


def _ours(workspace: Workspace, draft: Draft, theirs: str) -> str:
    identifier = imported_id(workspace.scope, theirs)
    found = workspace.find(identifier) or draft.changed(identifier)
    if not isinstance(found, ImportedObject) or found.ours is None:
        raise UnexpectedState(f"{theirs} was not imported.")
    return found.ours


def _parts(scope: Scope) -> tuple[str, str]:
    return scope.tenant_id, "live" if scope.livemode else "test"
