"""Turns the changes of a batch into statements with encoded arguments: rows, then one array a column."""

from collections.abc import Sequence
from operator import attrgetter, itemgetter
from typing import Any

from fastpay import limits
from fastpay._native.arrays import ArrayType, Field, encode_table, encode_tables
from fastpay.domain.identifiers import Scope, digits
from fastpay.domain.kinds import NUMBERS
from fastpay.domain.ledger import Account, Transfer
from fastpay.domain.ledger_batches import Steps, run_steps
from fastpay.domain.ledger_objects import LedgerTransfer
from fastpay.domain.objects import StoredObject
from fastpay.domain.plan import Book, Draft, Event, Versioned
from fastpay.engine.ports import Changes, IdempotencyRow, OperatorAction, Submission
from fastpay.engine.write.ports import Encoded
from fastpay.store import ledger_columns, rows
from fastpay.store.statements import array_types
from fastpay.store.tables import HEAD_WRITES, HeadWrite

# What has the values of one row (see `_FIELDS`). Identifiers still have their prefix.
Row = tuple[Any, ...]
Witness = tuple[Any, ...]
Written = tuple[Scope, Versioned]
_LEDGER_TRANSFERS, _MOVE = "write_ledger_transfers", "move_accounts"
# Encoding a longer column takes so long that the event loop gets a turn.
_LONG = limits.transfers_at_once_max
_FIRST = frozenset((1,))
_name_of, _rows_of = itemgetter(0), itemgetter(1)
_second_of, _object_of, _version_of = itemgetter(1), attrgetter("object"), attrgetter("version")
_identifier_of = attrgetter("id")
# By type, the statements that write heads of new objects and of others.
_STATEMENTS = {one: (new.statement, known.statement) for one, (new, known) in HEAD_WRITES.items()}


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
    versions = list(map(_second_of, changes.versions))
    objects = list(map(_object_of, versions))
    if changes.rows or LedgerTransfer in map(type, objects):
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
    written = _writes(changes, versions, objects, uncertain, certain[:size])
    names += map(_name_of, written)
    if sum(map(len, map(_rows_of, written))) <= _LONG:
        arguments += encode_tables(_FIELDS, written)
    else:
        for table in written:
            arguments += encode_tables(_FIELDS, [table])
            if len(table[1]) > _LONG:
                yield
    for start in range(size, len(certain), size):
        moved = certain[start : start + size]
        rest.append(EncodedChanges(names=(_MOVE,), arguments=encode_table(_FIELDS[_MOVE], moved)))
        yield
    return EncodedChanges(names=tuple(names), arguments=arguments, witness=witness(changes), rest=tuple(rest))


def _encode_transfers(columns: list[list[Any]]) -> Steps[list[bytes]]:
    """Encode each column as an array, and yield between long columns."""
    encoded = []
    for array, column in zip(_LEDGER_TRANSFER_TYPES, columns, strict=True):
        encoded.append(array.encode(column))
        if len(column) > _LONG:
            yield
    return encoded


def encode_books(books: Sequence[Book]) -> list[bytes]:
    """Return the arguments of `require_books`: the books as they must be for the batch to be valid."""
    return encode_table(_FIELDS["require_books"], [(book, rows.encode_rules(book.rules)) for book in books])


def writes(changes: Changes) -> list[tuple[str, list[Row]]]:
    """Return the statements that write these changes, each with its rows. None has no rows.

    Transfers between clients' accounts are not included: `ledger_columns` makes their columns directly.
    """
    versions = list(map(_second_of, changes.versions))
    uncertain, certain = _accounts(changes)
    return _writes(changes, versions, list(map(_object_of, versions)), uncertain, certain)


def _writes(
    changes: Changes,
    versions: list[Versioned],
    objects: list[StoredObject],
    uncertain: list[Row],
    certain: list[Row],
) -> list[tuple[str, list[Row]]]:
    """Return what `writes` does. `versions` are the changed ones, and `objects` theirs."""
    drafts = changes.drafts
    written = [
        ("write_versions", _snapshots(changes.versions, objects)),
        *_heads(changes.versions, versions, objects),
        ("write_accounts", uncertain),
        (_MOVE, certain),
        ("write_transfers", [(pair, transfer) for pair in drafts for transfer in pair[1].transfers]),
        ("write_events", [(submission, event) for submission, draft in drafts for event in draft.events]),
        ("write_idempotency", [(row, rows.encode_answer(row.answer)) for row in changes.idempotency]),
        ("write_operator_actions", [(one, one.action) for one, _ in drafts if one.action is not None]),
        ("write_books", list(changes.sequences.items())),
    ]
    return list(filter(_rows_of, written))


def witness(changes: Changes) -> Witness | None:
    """Return a statement with arguments that finds a row which only these changes contain."""
    for submission, draft in changes.drafts:
        if draft.events:
            event = draft.events[0]
            return ("event_written", *submission.scope, event.sequence, digits(event.id))
    for row in changes.idempotency[:1]:
        return ("idempotency_written", row.digest, *row.scope, row.request_id)
    return None


def _heads(
    changed: list[tuple[Scope, Versioned]], versions: list[Versioned], objects: list[StoredObject]
) -> list[tuple[str, list[Row]]]:
    """Return the writes of heads: one row for the latest version of each object that has a head."""
    rows_of_objects: list[Row] = list(zip(changed, objects, strict=True))
    if _FIRST.issuperset(map(_version_of, versions)):
        # All are new, as those of most payments are: one look at each of them is enough.
        by_type: dict[type, list[Row]] = {}
        for row in rows_of_objects:
            struct_type = type(row[1])
            if struct_type in by_type:
                by_type[struct_type].append(row)
            else:
                by_type[struct_type] = [row]
        return sorted([(HEAD_WRITES[one][0][0], by_type[one]) for one in by_type if one in HEAD_WRITES])
    known = [version > 1 for version in map(_version_of, versions)]
    if len(set(map(_identifier_of, objects))) < len(objects):
        # What is new and changed again in one batch is new, in its last version.
        latest = {(scope, stored.id): row for row in rows_of_objects for (scope, _), stored in [row]}
        new = {(scope, one.object.id) for scope, one in changed if one.version == 1}
        rows_of_objects, known = list(latest.values()), [key not in new for key in latest]
    return _heads_of_changed(rows_of_objects, known)


def _heads_of_changed(versions: list[Row], known: list[bool]) -> list[tuple[str, list[Row]]]:
    """Do the same if some objects are `known`, which are not new."""
    found: dict[str, list[Row]] = {}
    for row, is_known in zip(versions, known, strict=True):
        statements = _STATEMENTS.get(type(row[1]))
        if statements is not None:
            statement = statements[is_known]
            if statement in found:
                found[statement].append(row)
            else:
                found[statement] = [row]
    # In a fixed order, so that few combined statements have to be prepared.
    return sorted(found.items())


def _snapshots(changed: list[tuple[Scope, Versioned]], objects: list[StoredObject]) -> list[Row]:
    """Return the rows of versions. Transfers between clients' accounts have none."""
    if LedgerTransfer in map(type, objects):
        changed = [pair for pair in changed if type(pair[1].object) is not LedgerTransfer]
        objects = [versioned.object for _, versioned in changed]
    numbers = map(NUMBERS.__getitem__, map(type, objects))
    return list(zip(changed, numbers, rows.encode_all(objects), strict=True))


def _accounts(changes: Changes) -> tuple[list[Row], list[Row]]:
    """Return the rows of accounts that may not exist yet, and of those that do.

    Accounts of payments are opened on first use, and a client's account by a command.
    """
    opened = {identifier for _, draft in changes.drafts for identifier in draft.opened}
    uncertain: list[Row] = []
    certain: list[Row] = []
    for scope, moved in changes.accounts.items():
        for identifier, account in moved.items():
            (uncertain if identifier in opened else certain).append((scope, account))
    return uncertain, certain


def _fields(statement: str, parts: tuple[Any, ...], *paths: str) -> tuple[Field, ...]:
    """Return the fields of a statement: the path of the value for each of its parameters."""
    arrays = map(ArrayType, array_types(statement))
    return tuple(Field(array, parts, path) for array, path in zip(arrays, paths, strict=True))


def _head_fields(struct_type: type, write: HeadWrite) -> tuple[Field, ...]:
    paths = [
        "0.1.version" if column.name == "version" else f"1.{column.attribute}" for column in write.columns
    ]
    return _fields(write.statement, (_OBJECT, struct_type), "0.0.tenant_id", "0.0.livemode", *paths)


_OBJECT = (Scope, Versioned)
_OF_SCOPE = ("0.tenant_id", "0.livemode")
_OF_SUBMISSION = ("0.scope.tenant_id", "0.scope.livemode")
_COUNTERS = ("1.debits_posted", "1.credits_posted", "1.debits_pending", "1.credits_pending")
# By statement, where in a row of `writes` the values of its parameters are.
_FIELDS: dict[str, tuple[Field, ...]] = {
    "write_versions": _fields(
        "write_versions",
        (_OBJECT,),
        *("0.0.tenant_id", "0.0.livemode", "0.1.object.id", "0.1.version", "0.1.sequence", "1", "2"),
    ),
    **{
        write.statement: _head_fields(struct_type, write)
        for struct_type, writes in HEAD_WRITES.items()
        for write in writes
    },
    "write_accounts": _fields(
        "write_accounts",
        (Scope, Account),
        *_OF_SCOPE,
        *("1.id", "1.code", "1.currency", "1.normal_side"),
        *(*_COUNTERS, "1.min_balance"),
    ),
    _MOVE: _fields(_MOVE, (Scope, Account), *_OF_SCOPE, "1.id", *_COUNTERS),
    "write_transfers": _fields(
        "write_transfers",
        ((Submission, Draft), Transfer),
        *("0.0.scope.tenant_id", "0.0.scope.livemode"),
        *("1.id", "0.1.answer.sequence", "1.kind", "1.phase", "1.debit_account_id", "1.credit_account_id"),
        *("1.currency", "1.amount", "1.source_id", "1.hold_id", "0.0.moment_ms"),
    ),
    "write_events": _fields(
        "write_events",
        (Submission, Event),
        *_OF_SUBMISSION,
        *("1.sequence", "1.id", "1.type", "1.object_id", "1.version", "0.request_id", "0.moment_ms"),
    ),
    "write_idempotency": _fields(
        "write_idempotency",
        (IdempotencyRow,),
        *("0.digest", *_OF_SUBMISSION, "0.idempotency_key", "0.fingerprint", "1", "0.request_id"),
        "0.moment_ms",
    ),
    "write_operator_actions": _fields(
        "write_operator_actions",
        (Submission, OperatorAction),
        *("1.operator", "1.action", "1.subject", "0.request_id"),
        "0.scope.tenant_id",
    ),
    "write_books": _fields("write_books", (Scope,), *_OF_SCOPE, "1"),
    "require_books": _fields("require_books", (Book,), *_OF_SUBMISSION, "0.sequence", "1"),
}
_LEDGER_TRANSFER_TYPES = tuple(map(ArrayType, array_types(_LEDGER_TRANSFERS)))
