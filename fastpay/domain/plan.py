"""The working set of a batch, and the plans that commands make from it.

A `Workspace` holds what is loaded for one tenant and mode. A command reads it and writes to a `Draft`. Only
the draft of a command that did not raise is merged, so a command takes effect as a whole or not at all.
"""

from collections.abc import Iterable
from typing import Protocol, TypeVar

import msgspec

from fastpay import limits
from fastpay._native import moving
from fastpay._native.identifiers import IdentifierSequence
from fastpay._native.numbering import Numbering
from fastpay._native.structs import replace
from fastpay.domain import ledger
from fastpay.domain.identifiers import Scope, is_well_formed, position_of
from fastpay.domain.ledger import Account, Transfer
from fastpay.domain.ledger_objects import LedgerTransfer
from fastpay.domain.ledger_rows import LedgerRows
from fastpay.domain.objects import StoredObject, missing
from fastpay.domain.rules import Rules
from fastpay.errors import FastpayError

_Stored = TypeVar("_Stored", bound=StoredObject)


class Book(msgspec.Struct, frozen=True, gc=False):
    """A tenant's rules for one mode, and the last number of its sequence."""

    scope: Scope
    sequence: int
    rules: Rules = Rules()


class Versioned(msgspec.Struct, frozen=True, gc=False):
    """An object with its version (from 1) and the sequence number at which the version was written."""

    object: StoredObject
    version: int
    sequence: int


class ErrorRecord(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """An error as it is stored for replays, with the objects that it shows."""

    status: int
    type: str
    code: str | None
    message: str
    param: str | None = None
    decline_code: str | None = None
    charge: str | None = None
    payment_intent: str | None = None
    payment_method: str | None = None
    setup_intent: str | None = None


class Answer(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """What is stored of an answer. Its bytes follow from this and from the snapshots.

    Objects are always rendered as of `sequence`, whenever that happens.
    """

    object_id: str | None
    sequence: int
    expand: tuple[str, ...] = ()
    error: ErrorRecord | None = None
    # Until when another command may write the final answer, in milliseconds since 1970. None if this is it.
    provisional_until_ms: int | None = None


class Event(msgspec.Struct, frozen=True, gc=False):
    """One change of one object, with its number in the tenant's sequence."""

    id: str
    type: str
    sequence: int
    object_id: str
    version: int


_NUMBERING = Numbering(Versioned, Event)


class Command(Protocol):
    """A decoded request that changes something."""

    def needs(self, workspace: "Workspace") -> Iterable[str]:
        """Return the identifiers that must be loaded, as far as they are known by now."""

    def execute(self, workspace: "Workspace", draft: "Draft") -> str:
        """Write to the draft and return the identifier of the object to answer with. Raises: FastpayError."""


class OnObject(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A command on one object, and on nothing else that must be loaded."""

    id: str

    def needs(self, workspace: "Workspace") -> Iterable[str]:
        """Return the identifiers to load."""
        return (self.id,)


class Workspace:
    """The working set of one tenant and mode. It holds no objects of others."""

    def __init__(self, book: Book) -> None:
        self.book = book
        self.scope = book.scope
        self.sequence = book.sequence
        self.objects: dict[str, Versioned | None] = {}
        self.accounts: dict[str, Account] = {}
        # Accounts that were looked up in the database, whether or not they exist.
        self.asked: set[str] = set()
        # The transfers of batches that are not committed yet, by sequence number.
        self.rows: dict[int, LedgerRows] = {}
        # The identifiers of its accounts by code, for each currency that it has moved: see `ledger.chart`.
        self.charts: dict[str, dict[str, str]] = {}

    def current_book(self) -> Book:
        """Return the book with the current sequence."""
        if self.sequence == self.book.sequence:
            return self.book
        return replace(self.book, sequence=self.sequence)

    def find(self, identifier: str) -> StoredObject | None:
        """Return the current version of an object, or None if it does not exist or is not loaded."""
        versioned = self.objects.get(identifier)
        if versioned is None and self.rows:
            versioned = self._take_from_rows(identifier)
        return None if versioned is None else versioned.object

    def require(self, kind: type[_Stored], identifier: str, *, param: str | None = None) -> _Stored:
        """Return the current version of an object of this kind. Raises: NotFound."""
        versioned = self.objects.get(identifier)
        # As `find` does: most objects are at hand, and the outcome of a payment asks for three.
        found = self.find(identifier) if versioned is None else versioned.object
        if not isinstance(found, kind):
            raise missing(kind, identifier, param=param)
        return found

    def chart(self, currency: str) -> dict[str, str]:
        """Return the identifiers of the tenant's accounts in a currency, and keep them."""
        found = self.charts[currency] = ledger.chart(self.scope, currency)
        return found

    def account(self, currency: str, code: str) -> Account:
        """Return the tenant's account. Open it if it does not exist."""
        identifier = ledger.account_id(self.scope, currency, code)
        account = self.accounts.get(identifier)
        if account is None:
            # An account that was not looked up may exist; opening it again would reset its counters.
            assert identifier in self.asked
            account = ledger.open_account(self.scope, currency, code)
        return account

    def merge(self, draft: "Draft") -> None:
        """Apply a finished draft."""
        objects = self.objects
        for versioned in draft.versions:
            objects[versioned.object.id] = versioned
        if draft.accounts:
            self.accounts |= draft.accounts
        if draft.rows is not None:
            self.rows[draft.rows.sequence] = draft.rows
        if draft.events:
            self.sequence = draft.events[-1].sequence

    def _take_from_rows(self, identifier: str) -> Versioned | None:
        """Return a transfer of a batch that is not committed yet. Few commands ask for one so early."""
        if not is_well_formed(identifier, LedgerTransfer.prefix):
            return None
        rows = self.rows.get(position_of(identifier)[0])
        transfer = None if rows is None else rows.find(identifier)
        if transfer is None:
            return None
        versioned = self.objects[identifier] = Versioned(transfer, 1, transfer.sequence)
        return versioned


class Draft(moving.Moves):
    """What one command decides. `moment_s` is its time in seconds since 1970.

    `answer`, `versions` and `events` are there once it is finished.
    """

    __slots__ = (
        "_announced",
        "_changed",
        "_workspace",
        "accounts",
        "answer",
        "begun",
        "charts",
        "events",
        "failure",
        "identifiers",
        "loaded",
        "moment_s",
        "new_id",
        "opened",
        "provisional_until_ms",
        "rows",
        "transfers",
        "versions",
    )

    answer: Answer
    versions: list[Versioned]
    events: list[Event]

    def __init__(self, workspace: Workspace, moment_s: int, identifiers: IdentifierSequence) -> None:
        self.moment_s = moment_s
        self._workspace = workspace
        self.identifiers = identifiers
        # Returns a new identifier of a prefix: the method itself, since a payment calls it eight times.
        self.new_id = identifiers.next
        self._changed: dict[str, StoredObject] = {}
        # Types of events, each with the identifier of its object.
        self._announced: list[tuple[str, str]] = []
        self.transfers: list[Transfer] = []
        # Those that this command has moved; `loaded` and `charts` are those of the workspace.
        self.accounts: dict[str, Account] = {}
        self.loaded, self.charts = workspace.accounts, workspace.charts
        # The identifiers of the accounts that this command opens.
        self.opened: list[str] = []
        # The transfers of a batch: too many to be an object each.
        self.rows: LedgerRows | None = None
        self.failure: ErrorRecord | None = None
        # The attempt that the caller has to carry out, and until when the answer may change (see `Answer`).
        self.begun: str | None = None
        self.provisional_until_ms: int | None = None

    @property
    def is_announced(self) -> bool:
        """Whether there is an event already."""
        return bool(self._announced)

    @property
    def moment_ms(self) -> int:
        """The time in new identifiers, in milliseconds since 1970."""
        return self.identifiers.moment_ms

    def put(self, stored: StoredObject, event: str | None) -> None:
        """Write a new version of an object with an event.

        `event` None adds no event; the command must then add one for another object.
        """
        self._changed[stored.id] = stored
        if event is not None:
            self._announced.append((event, stored.id))

    def changed(self, identifier: str) -> StoredObject | None:
        """Return the version of an object that this command has written, or None."""
        return self._changed.get(identifier)

    def account(self, currency: str, code: str) -> ledger.Account:
        """Return the tenant's account with what this command has moved."""
        identifier = ledger.account_id(self._workspace.scope, currency, code)
        return self.accounts.get(identifier) or self._workspace.account(currency, code)

    def announce(self, event: str, identifier: str) -> None:
        """Add another event for an object that this command writes."""
        assert identifier in self._changed
        self._announced.append((event, identifier))

    def begin(self, attempt: str, wait_ms: int) -> None:
        """Answer for now, and have the caller carry out an attempt that this command writes."""
        self.begun = attempt
        self.provisional_until_ms = self.moment_ms + wait_ms

    def fail(
        self,
        error: FastpayError,
        *,
        charge: str | None = None,
        payment_intent: str | None = None,
        payment_method: str | None = None,
        setup_intent: str | None = None,
    ) -> None:
        """Answer with an error, but keep what was written: a declined charge, for example."""
        self.failure = record(
            error,
            charge=charge,
            payment_intent=payment_intent,
            payment_method=payment_method,
            setup_intent=setup_intent,
        )

    def chart(self, currency: str) -> dict[str, str]:
        """Return the identifiers of the tenant's accounts in a currency, by code."""
        return self._workspace.chart(currency)

    def transfer_by_rules(
        self,
        kind: str,
        phase: str,
        debit: str,
        credit: str,
        currency: str,
        amount: int,
        source_id: str,
        hold: tuple[str, int] | None,
    ) -> str:
        """Do what `transfer` does, whatever a rule could refuse. Raises: as it does."""
        scope, chart, accounts = self._workspace.scope, self.charts[currency], self.accounts
        debit_id = chart[debit] if debit in chart else ledger.account_id(scope, currency, debit)
        credit_id = chart[credit] if credit in chart else ledger.account_id(scope, currency, credit)
        hold_id, held = (None, 0) if hold is None else hold
        moved = amount if phase in ("posted", "post") else 0
        reserved = amount if phase == "hold" else -held
        source = accounts.get(debit_id) or self.loaded.get(debit_id) or self._open(currency, debit)
        target = accounts.get(credit_id) or self.loaded.get(credit_id) or self._open(currency, credit)
        accounts[debit_id] = ledger.debit(source, moved, reserved)
        accounts[credit_id] = ledger.credit(target, moved, reserved)
        identifier = self.new_id("tr")
        self.transfers.append(
            Transfer(identifier, kind, phase, debit_id, credit_id, currency, amount, source_id, hold_id)
        )
        return identifier

    def finish(self, object_id: str | None, expand: tuple[str, ...] = ()) -> "Draft":
        """Number the events, give every version the last number, and return the draft."""
        workspace = self._workspace
        assert self._announced or not self._changed, "a change without an event"
        sequence = workspace.sequence + len(self._announced)
        self.versions, self.events = _NUMBERING.number(
            self._changed, self._announced, workspace.objects, workspace.sequence, self.identifiers
        )
        self.answer = Answer(object_id, sequence, expand, self.failure, self.provisional_until_ms)
        return self

    def _open(self, currency: str, code: str) -> Account:
        account = self._workspace.account(currency, code)
        self.opened.append(account.id)
        return account


moving.prepare(Draft, Account, Transfer, limits.ledger_counter_max)


def record(
    error: FastpayError,
    *,
    charge: str | None = None,
    payment_intent: str | None = None,
    payment_method: str | None = None,
    setup_intent: str | None = None,
) -> ErrorRecord:
    """Return an error as it is stored for replays."""
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
        setup_intent=setup_intent,
    )
