"""The working set of a batch and what commands make of it.

A `Workspace` holds what one tenant and mode has loaded for the batch. A command reads it and writes to a
`Draft`; only a draft that ended well is merged, so that a command takes effect whole or not at all.
"""

from collections.abc import Iterable
from typing import Protocol

import msgspec

from fastpay.domain import ledger
from fastpay.domain.identifiers import IdentifierSequence, Scope, is_well_formed, position_of
from fastpay.domain.ledger import Account, Transfer
from fastpay.domain.ledger_objects import LedgerTransfer
from fastpay.domain.ledger_rows import LedgerRows
from fastpay.domain.objects import StoredObject
from fastpay.domain.rules import Rules
from fastpay.errors import FastpayError


class Book(msgspec.Struct, frozen=True, gc=False):
    """A tenant's rules for one mode, and how far its sequence has come."""

    scope: Scope
    sequence: int
    rules: Rules = Rules()


class Versioned(msgspec.Struct, frozen=True, gc=False):
    """An object together with its version (from 1) and the sequence that the version was written at."""

    object: StoredObject
    version: int
    sequence: int


class ErrorRecord(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """An error as it is kept for replays: with the objects that it shows."""

    status: int
    type: str
    code: str | None
    message: str
    param: str | None = None
    decline_code: str | None = None
    charge: str | None = None
    payment_intent: str | None = None
    payment_method: str | None = None


class Answer(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """Everything that the bytes of an answer follow from, beside the snapshots.

    Objects are shown as they stood at `sequence`, whenever the answer is rendered.
    """

    object_id: str | None
    sequence: int
    expand: tuple[str, ...] = ()
    error: ErrorRecord | None = None


class Event(msgspec.Struct, frozen=True, gc=False):
    """One thing that happened to one object, at its place in the tenant's sequence."""

    id: str
    type: str
    sequence: int
    object_id: str
    version: int


class Plan(msgspec.Struct, frozen=True, gc=False):
    """What a command decided: new versions, transfers, events and the answer to give."""

    answer: Answer
    versions: tuple[Versioned, ...] = ()
    transfers: tuple[Transfer, ...] = ()
    events: tuple[Event, ...] = ()
    rows: LedgerRows | None = None


class Command(Protocol):
    """What a request wants, decoded and ready to be decided."""

    def needs(self, workspace: "Workspace") -> Iterable[str]:
        """Return the identifiers that must be loaded, as far as they can be known by now."""

    def execute(self, workspace: "Workspace", draft: "Draft") -> str:
        """Decide. Return the identifier of the object to answer with, or raise a FastpayError."""


class Workspace:
    """One tenant's and mode's part of the working set. Identifiers of others simply are not in it."""

    def __init__(self, book: Book) -> None:
        self.book = book
        self.scope = book.scope
        self.sequence = book.sequence
        self.objects: dict[str, Versioned | None] = {}
        self.accounts: dict[str, Account] = {}
        # The accounts that were looked for in the database, whether or not they were there.
        self.asked: set[str] = set()
        # By sequence, the transfers of batches that nobody can load yet.
        self.rows: dict[int, LedgerRows] = {}

    def current_book(self) -> Book:
        """Return the book as it stands now."""
        if self.sequence == self.book.sequence:
            return self.book
        return msgspec.structs.replace(self.book, sequence=self.sequence)

    def find(self, identifier: str) -> StoredObject | None:
        """Return the object as it stands now, None where there is none (or it is not loaded)."""
        versioned = self.objects.get(identifier)
        if versioned is None and self.rows:
            versioned = self._take_from_rows(identifier)
        return None if versioned is None else versioned.object

    def account(self, currency: str, code: str) -> Account:
        """Return the tenant's account, opening it on first use."""
        identifier = ledger.account_id(self.scope, currency, code)
        account = self.accounts.get(identifier)
        if account is None:
            # One that nobody looked for may well exist: opened anew, its counters would be lost.
            assert identifier in self.asked
            account = ledger.open_account(self.scope, currency, code)
        return account

    def merge(self, plan: Plan, accounts: dict[str, Account]) -> None:
        """Take over what a command decided."""
        for versioned in plan.versions:
            self.objects[versioned.object.id] = versioned
        self.accounts.update(accounts)
        if plan.rows is not None:
            self.rows[plan.rows.sequence] = plan.rows
        if plan.events:
            self.sequence = plan.events[-1].sequence

    def _take_from_rows(self, identifier: str) -> Versioned | None:
        """Make an object of a row that a command names; few ever are before they can be loaded."""
        if not is_well_formed(identifier, LedgerTransfer.prefix):
            return None
        rows = self.rows.get(position_of(identifier)[0])
        transfer = None if rows is None else rows.find(identifier)
        if transfer is None:
            return None
        versioned = self.objects[identifier] = Versioned(transfer, 1, transfer.sequence)
        return versioned


class Draft:
    """What one command has decided so far. `moment_s` is the second in which it runs."""

    def __init__(self, workspace: Workspace, *, moment_s: int, identifiers: IdentifierSequence) -> None:
        self.moment_s = moment_s
        self._workspace = workspace
        self._identifiers = identifiers
        self._changed: dict[str, StoredObject] = {}
        self._events: list[tuple[str, str]] = []
        self._transfers: list[Transfer] = []
        self.accounts: dict[str, Account] = {}
        # The transfers of a batch, which are too many to be objects of their own.
        self.rows: LedgerRows | None = None
        self.failure: tuple[FastpayError, str | None, str | None, str | None] | None = None

    def new_id(self, prefix: str) -> str:
        """Return a fresh identifier."""
        return self._identifiers.next(prefix)

    @property
    def moment_ms(self) -> int:
        """The moment that fresh identifiers carry."""
        return self._identifiers.moment_ms

    def put(self, stored: StoredObject, event: str | None) -> None:
        """Write a new version of an object and say what happened to it.

        None says nothing of this object; the command must then announce something of another.
        """
        self._changed[stored.id] = stored
        if event is not None:
            self._events.append((event, stored.id))

    def announce(self, event: str, identifier: str) -> None:
        """Say one more thing of an object that this command writes."""
        assert identifier in self._changed
        self._events.append((event, identifier))

    def fail(
        self,
        error: FastpayError,
        *,
        charge: str | None = None,
        payment_intent: str | None = None,
        payment_method: str | None = None,
    ) -> None:
        """Answer with an error although what was written stays: a declined charge, for one."""
        self.failure = (error, charge, payment_intent, payment_method)

    def transfer(
        self,
        kind: str,
        *,
        debit: str,
        credit: str,
        currency: str,
        amount: int,
        source_id: str,
        phase: str = "posted",
        hold: tuple[str, int] | None = None,
    ) -> str:
        """Move or reserve an amount between two of the tenant's accounts, named by code.

        `hold` is the identifier and the whole amount of the hold that a "post" or "void" ends.
        Returns the transfer's identifier. Raises: InsufficientFunds, InvalidRequest.
        """
        hold_id, held = (None, 0) if hold is None else hold
        moved = amount if phase in ("posted", "post") else 0
        reserved = amount if phase == "hold" else -held
        chart = ledger.chart(self._workspace.scope, currency)
        debit_id, credit_id = chart[debit], chart[credit]
        accounts = self.accounts
        # An account that this draft has moved already stands in `accounts`.
        source = accounts.get(debit_id) or self._workspace.account(currency, debit)
        target = accounts.get(credit_id) or self._workspace.account(currency, credit)
        accounts[debit_id] = ledger.debit(source, posted=moved, pending=reserved)
        accounts[credit_id] = ledger.credit(target, posted=moved, pending=reserved)
        identifier = self.new_id("tr")
        transfer = Transfer(
            id=identifier,
            kind=kind,
            phase=phase,
            debit_account_id=debit_id,
            credit_account_id=credit_id,
            currency=currency,
            amount=amount,
            source_id=source_id,
            hold_id=hold_id,
        )
        self._transfers.append(transfer)
        return identifier

    def finish(self, object_id: str | None, expand: tuple[str, ...]) -> Plan:
        """Number the events, give every version the last number, and return the plan."""
        workspace = self._workspace
        assert self._events or not self._changed, "a change that nobody would hear of"
        sequence = workspace.sequence + len(self._events)
        numbers: dict[str, int] = {}
        versions: list[Versioned] = []
        for identifier, stored in self._changed.items():
            previous = workspace.objects.get(identifier)
            number = 1 if previous is None else previous.version + 1
            numbers[identifier] = number
            versions.append(Versioned(stored, number, sequence))
        events: list[Event] = []
        for number, (event_type, identifier) in enumerate(self._events, workspace.sequence + 1):
            events.append(Event(self.new_id("evt"), event_type, number, identifier, numbers[identifier]))
        error = None
        if self.failure is not None:
            failure, charge, payment_intent, payment_method = self.failure
            error = record(
                failure, charge=charge, payment_intent=payment_intent, payment_method=payment_method
            )
        return Plan(
            answer=Answer(object_id, sequence, expand, error),
            versions=tuple(versions),
            transfers=tuple(self._transfers),
            events=tuple(events),
            rows=self.rows,
        )


def record(
    error: FastpayError,
    *,
    charge: str | None = None,
    payment_intent: str | None = None,
    payment_method: str | None = None,
) -> ErrorRecord:
    """Write an error down for later replays."""
    return ErrorRecord(
        status=error.status,
        type=error.type,
        code=error.code,
        message=error.message,
        param=error.param,
        decline_code=error.decline_code,
        charge=charge,
        payment_intent=payment_intent,
        payment_method=payment_method,
    )
