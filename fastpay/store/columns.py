"""Turns the changes of a batch into statements and arguments: parts of rows, then one array a column."""

from collections.abc import Sequence
from operator import attrgetter, itemgetter
from typing import Any, Literal

from fastpay import limits
from fastpay._native.arrays import ArrayType, Field, encode_table, encode_tables
from fastpay._native.grouping import Sorter, group
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

# What has the values of a table's rows: in each list an item for each row (see `_FIELDS`). Rows as tuples
# would be made only to be read once. Identifiers still have their prefix.
Parts = tuple[list[Any], ...]
Witness = tuple[Any, ...]
_LEDGER_TRANSFERS, _MOVE = "write_ledger_transfers", "move_accounts"
# Encoding a longer column takes so long that the event loop gets a turn.
_LONG = limits.transfers_at_once_max
_name_of, _answer_of = itemgetter(0), attrgetter("answer")
# By type, the statements that write heads of new objects and of others.
_STATEMENTS = {one: (new.statement, known.statement) for one, (new, known) in HEAD_WRITES.items()}
# What a batch has written, by table: see `Sorter.sort`.
_OfType = tuple[type, Literal["new", "known", "mixed"], Parts]
_Effects = tuple[Parts, list[Any], Parts, Parts, Parts, Parts, Parts, bool]
# Transfers between clients' accounts have no snapshots.
SORTER = Sorter(Submission, Draft, Versioned, StoredObject, {**NUMBERS, LedgerTransfer: None})


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
    effects = SORTER.sort(changes.drafts)
    *_, certain, has_ledger_transfers = effects
    if changes.rows or has_ledger_transfers:
        for number, columns in enumerate((yield from ledger_columns.columns(changes, rows_max))):
            encoded = yield from _encode_transfers(columns)
            if number:
                rest.append(EncodedChanges(names=(_LEDGER_TRANSFERS,), arguments=encoded))
            else:
                names.append(_LEDGER_TRANSFERS)
                arguments += encoded
    count = len(certain[0])
    if count > _LONG:
        yield
    size = rows_max or count or 1
    tables = _tables(changes, effects, _cut(certain, 0, size) if count > size else certain)
    rows_left = limits.rows_at_once_max
    if encode_tables(_FIELDS, tables, names, arguments, rows_left) is False:
        for table in tables:
            encode_tables(_FIELDS, [table], names, arguments, len(table[1][0]))
            rows_left -= len(table[1][0])
            if rows_left < 0:
                yield
                rows_left = limits.rows_at_once_max
    for start in range(size, count, size):
        moved = _cut(certain, start, start + size)
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
    rules = [rows.encode_rules(book.rules) for book in books]
    return encode_table(_FIELDS["require_books"], (list(books), rules))


def writes(changes: Changes) -> list[tuple[str, Parts]]:
    """Return the statements that write these changes, each with the parts of its rows. None has no rows.

    Transfers between clients' accounts are not included: `ledger_columns` makes their columns directly.
    """
    effects = SORTER.sort(changes.drafts)
    return [table for table in _tables(changes, effects, effects[-2]) if table[1][0]]


def _tables(changes: Changes, effects: _Effects, certain: Parts) -> list[tuple[str, Parts]]:
    """Return what `writes` does, and statements that have no rows.

    Accounts of payments are opened on first use, and a client's account by a command. So it is uncertain
    whether those exist that were opened.
    """
    (scopes, versions, numbers, objects), by_type, transfers, events, actions, uncertain, *_ = effects
    first_answers = changes.idempotency
    answers = rows.encode_answers(list(map(_answer_of, first_answers)))
    return [
        ("write_versions", (scopes, versions, numbers, rows.encode_all(objects))),
        *_heads(by_type),
        ("write_accounts", uncertain),
        (_MOVE, certain),
        ("write_transfers", transfers),
        ("write_events", events),
        ("write_idempotency", (first_answers, answers)),
        ("write_operator_actions", actions),
        ("write_books", (list(changes.sequences), list(changes.sequences.values()))),
    ]


def witness(changes: Changes) -> Witness | None:
    """Return a statement with arguments that finds a row which only these changes contain."""
    for submission, draft in changes.drafts:
        if draft.events:
            event = draft.events[0]
            return ("event_written", *submission.scope, event.sequence, digits(event.id))
    for row in changes.idempotency[:1]:
        return ("idempotency_written", row.digest, *row.scope, row.request_id)
    return None


def _heads(by_type: list[_OfType]) -> list[tuple[str, Parts]]:
    """Return the writes of heads: one row for the latest version of each object that has a head."""
    written: list[tuple[str, Parts]] = []
    for kind, state, parts in by_type:
        statements = _STATEMENTS.get(kind)
        if statements is None:
            continue
        if state == "mixed":
            written += _latest(statements, parts)
        else:
            # Outcomes of payments: every payment was known, and every charge is new.
            written.append((statements[state == "known"], parts))
    # In a fixed order, so that few combined statements have to be prepared.
    return sorted(written, key=_name_of)


def _latest(statements: tuple[str, str], parts: Parts) -> list[tuple[str, Parts]]:
    """Return the writes of heads of one type, some of which are new, or changed several times.

    What is new and changed again in one batch is new, in its last version.
    """
    scopes, versions, objects = parts
    keys = [(scope, one.id) for scope, one in zip(scopes, objects, strict=True)]
    latest = {key: place for place, key in enumerate(keys)}
    new = {key for key, versioned in zip(keys, versions, strict=True) if versioned.version == 1}
    last = tuple([part[place] for place in latest.values()] for part in parts)
    return list(group([statements[key not in new] for key in latest], last).items())


def _cut(parts: Parts, start: int, end: int) -> Parts:
    return tuple(part[start:end] for part in parts)


def _fields(statement: str, parts: tuple[Any, ...], *paths: str) -> tuple[Field, ...]:
    """Return the fields of a statement: the path of the value for each of its parameters."""
    arrays = map(ArrayType, array_types(statement))
    return tuple(Field(array, parts, path) for array, path in zip(arrays, paths, strict=True))


def _head_fields(struct_type: type, write: HeadWrite) -> tuple[Field, ...]:
    paths = ["1.version" if column.name == "version" else f"2.{column.attribute}" for column in write.columns]
    return _fields(write.statement, (Scope, Versioned, struct_type), *_OF_SCOPE, *paths)


_OF_SCOPE = ("0.tenant_id", "0.livemode")
_OF_SUBMISSION = ("0.scope.tenant_id", "0.scope.livemode")
_COUNTERS = ("1.debits_posted", "1.credits_posted", "1.debits_pending", "1.credits_pending")
# By statement, where in the parts of `writes` the values of its parameters are.
_FIELDS: dict[str, tuple[Field, ...]] = {
    "write_versions": _fields(
        "write_versions",
        (Scope, Versioned),
        *(*_OF_SCOPE, "1.object.id", "1.version", "1.sequence", "2", "3"),
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
