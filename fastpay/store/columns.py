"""Turns the changes of a batch into statements with encoded arguments: records, then one array a column."""

from collections.abc import Sequence
from typing import Any

from fastpay import limits
from fastpay._native.arrays import ArrayType, encode_columns
from fastpay.domain.identifiers import Scope, digits
from fastpay.domain.kinds import number_of
from fastpay.domain.ledger import Account, is_own
from fastpay.domain.ledger_batches import Steps, run_steps
from fastpay.domain.ledger_objects import LedgerAccount, LedgerTransfer
from fastpay.domain.plan import Book, Versioned
from fastpay.engine.ports import Changes
from fastpay.engine.write.ports import Encoded
from fastpay.store import ledger_columns, rows
from fastpay.store.statements import array_types
from fastpay.store.tables import HEAD_WRITES

# One value for each parameter of a statement. Identifiers still have their prefix.
Record = tuple[Any, ...]
Witness = tuple[Any, ...]
Written = tuple[Scope, Versioned]
_LEDGER_TRANSFERS, _MOVE = "write_ledger_transfers", "move_accounts"
# Encoding a longer column takes so long that the event loop gets a turn.
_LONG = limits.transfers_at_once_max


class EncodedChanges(Encoded, frozen=True, kw_only=True):
    """The statements to combine, their encoded arguments, and the witness of the commit."""

    names: tuple[str, ...]
    arguments: list[bytes]
    witness: Witness | None = None


def encode(changes: Changes) -> EncodedChanges:
    """Return what a transaction sends to write these changes.

    Raises: ValueError, TypeError for values that cannot be encoded.
    """
    return run_steps(encode_steps(changes))


def encode_steps(changes: Changes, rows_max: int | None = None) -> Steps[EncodedChanges]:
    """Do what `encode` does, and yield between columns and statements if they are long.

    With `rows_max`, no statement writes more transfers or accounts of batches than that; `rest` has the
    others.
    """
    names: list[str] = []
    arguments: list[bytes] = []
    rest: list[EncodedChanges] = []
    for number, columns in enumerate((yield from ledger_columns.columns(changes, rows_max))):
        encoded = yield from _encode_transfers(columns)
        if number:
            rest.append(EncodedChanges(names=(_LEDGER_TRANSFERS,), arguments=encoded))
        else:
            names.append(_LEDGER_TRANSFERS)
            arguments += encoded
    uncertain, certain = _accounts(changes)
    if len(certain) > _LONG:
        yield
    size = rows_max or max(len(certain), 1)
    for statement, records in _writes(changes, uncertain, certain[:size]):
        names.append(statement)
        arguments += encode_columns(_TYPES[statement], records)
        if len(records) > _LONG:
            yield
    for start in range(size, len(certain), size):
        records = certain[start : start + size]
        rest.append(EncodedChanges(names=(_MOVE,), arguments=encode_columns(_TYPES[_MOVE], records)))
        yield
    return EncodedChanges(names=tuple(names), arguments=arguments, witness=witness(changes), rest=tuple(rest))


def _encode_transfers(columns: list[list[Any]]) -> Steps[list[bytes]]:
    """Encode each column as an array, and yield between long columns."""
    encoded = []
    for array, column in zip(_TYPES[_LEDGER_TRANSFERS], columns, strict=True):
        encoded.append(array.encode(column))
        if len(column) > _LONG:
            yield
    return encoded


def encode_books(books: Sequence[Book]) -> list[bytes]:
    """Return the arguments of `require_books`: the books as they must be for the batch to be valid."""
    records = [(*book.scope, book.sequence, rows.encode_rules(book.rules)) for book in books]
    return encode_columns(_TYPES["require_books"], records)


def writes(changes: Changes) -> list[tuple[str, list[Record]]]:
    """Return the statements that write these changes, each with its records. None has no records.

    Transfers between clients' accounts are not included: `ledger_columns` makes their columns directly.
    """
    return _writes(changes, *_accounts(changes))


def _writes(
    changes: Changes, uncertain: list[Record], certain: list[Record]
) -> list[tuple[str, list[Record]]]:
    written = [
        ("write_versions", _versions(changes)),
        *_heads(changes),
        ("write_accounts", uncertain),
        ("move_accounts", certain),
        ("write_transfers", _transfers(changes)),
        ("write_events", _events(changes)),
        ("write_idempotency", _idempotency(changes)),
        ("write_books", [(*scope, sequence) for scope, sequence in changes.sequences.items()]),
    ]
    return [(statement, records) for statement, records in written if records]


def witness(changes: Changes) -> Witness | None:
    """Return a statement with arguments that finds a row which only these changes contain."""
    for submission, draft in changes.drafts:
        for event in draft.events:
            return ("event_written", *submission.scope, event.sequence, digits(event.id))
    for row in changes.idempotency[:1]:
        return ("idempotency_written", row.digest, *row.scope, row.request_id)
    return None


def _heads(changes: Changes) -> list[tuple[str, list[Record]]]:
    """Return the writes of heads: one record for the latest version of each object that has a head."""
    latest = {(scope, versioned.object.id): versioned for scope, versioned in changes.versions}
    added = {(scope, versioned.object.id) for scope, versioned in changes.versions if versioned.version == 1}
    found: dict[str, list[Record]] = {}
    for key, versioned in latest.items():
        writes = HEAD_WRITES.get(type(versioned.object))
        if writes is not None:
            insert, update = writes
            write = insert if key in added else update
            found.setdefault(write.statement, []).append((*key[0], *write.values(versioned)))
    # In a fixed order, so that few combined statements have to be prepared.
    return sorted(found.items())


def _versions(changes: Changes) -> list[Record]:
    return [
        (
            *scope,
            versioned.object.id,
            versioned.version,
            versioned.sequence,
            number_of(versioned.object),
            rows.encode(versioned.object),
        )
        for scope, versioned in changes.versions
        if not isinstance(versioned.object, LedgerTransfer)
    ]


def _accounts(changes: Changes) -> tuple[list[Record], list[Record]]:
    """Return the records of accounts that may not exist yet, and of those that do.

    Accounts of payments are opened on first use. A client's account exists unless this batch opens it.
    """
    uncertain: list[tuple[Scope, Account]] = []
    certain: list[tuple[Scope, Account]] = []
    for scope, moved in changes.accounts.items():
        for account in moved.values():
            (uncertain if is_own(account.code) else certain).append((scope, account))
    opened = {
        (scope, versioned.object.id)
        for scope, versioned in changes.versions
        if certain and isinstance(versioned.object, LedgerAccount)
    }
    if opened:
        uncertain += [one for one in certain if (one[0], one[1].id) in opened]
        certain = [one for one in certain if (one[0], one[1].id) not in opened]
    # Unpacking the scope is faster than `*scope`, and there may be thousands.
    return (
        [
            (
                tenant_id,
                livemode,
                account.id,
                account.code,
                account.currency,
                account.normal_side,
                account.debits_posted,
                account.credits_posted,
                account.debits_pending,
                account.credits_pending,
                account.min_balance,
            )
            for (tenant_id, livemode), account in uncertain
        ],
        [
            (
                tenant_id,
                livemode,
                account.id,
                account.debits_posted,
                account.credits_posted,
                account.debits_pending,
                account.credits_pending,
            )
            for (tenant_id, livemode), account in certain
        ],
    )


def _transfers(changes: Changes) -> list[Record]:
    return [
        (
            *submission.scope,
            transfer.id,
            draft.answer.sequence,
            transfer.kind,
            transfer.phase,
            transfer.debit_account_id,
            transfer.credit_account_id,
            transfer.currency,
            transfer.amount,
            transfer.source_id,
            transfer.hold_id,
            submission.moment_ms,
        )
        for submission, draft in changes.drafts
        for transfer in draft.transfers
    ]


def _events(changes: Changes) -> list[Record]:
    return [
        (
            *submission.scope,
            event.sequence,
            event.id,
            event.type,
            event.object_id,
            event.version,
            submission.request_id,
            submission.moment_ms,
        )
        for submission, draft in changes.drafts
        for event in draft.events
    ]


def _idempotency(changes: Changes) -> list[Record]:
    return [
        (
            row.digest,
            *row.scope,
            row.idempotency_key,
            row.fingerprint,
            rows.encode(row.answer),
            row.request_id,
            row.moment_ms,
        )
        for row in changes.idempotency
    ]


_TYPES: dict[str, tuple[ArrayType, ...]] = {
    statement: tuple(map(ArrayType, array_types(statement)))
    for statement in (
        "write_versions",
        *(write.statement for writes in HEAD_WRITES.values() for write in writes),
        "write_accounts",
        "move_accounts",
        "write_transfers",
        "write_ledger_transfers",
        "write_events",
        "write_idempotency",
        "write_books",
        "require_books",
    )
}
