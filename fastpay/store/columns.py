"""The columns of each set-based write, in the order of its statement's parameters."""

from collections.abc import Callable, Sequence
from typing import Any

from fastpay.domain.identifiers import Scope, digits
from fastpay.domain.ledger_objects import LedgerTransfer
from fastpay.domain.objects import Charge, Customer, PaymentIntent, PaymentMethod, Refund, kind_of
from fastpay.domain.plan import Versioned
from fastpay.engine.ports import Changes, Encoded
from fastpay.store import ledger_columns, rows

Arguments = list[list[Any]]
Witness = tuple[Any, ...]
Written = tuple[Scope, Versioned]


class EncodedChanges(Encoded, frozen=True):
    """Statements with their arguments, in order, and what tells later whether they were committed."""

    statements: list[tuple[str, Arguments]]
    witness: Witness | None


def encode(changes: Changes) -> EncodedChanges:
    """Return what a transaction sends to write these changes."""
    return EncodedChanges(writes(changes), witness(changes))


def writes(changes: Changes) -> list[tuple[str, Arguments]]:
    """Return the statements that write these changes, and their arguments, in an order that keys allow."""
    latest = {(scope, versioned.object.id): (scope, versioned) for scope, versioned in changes.versions}
    by_kind: dict[type, list[Written]] = {}
    for written in latest.values():
        by_kind.setdefault(type(written[1].object), []).append(written)
    statements = [("write_versions", _versions(changes))]
    for kind, statement, columns in _HEADS:
        if kind in by_kind:
            statements.append((statement, columns(by_kind[kind])))
    statements += [
        ("write_accounts", _accounts(changes)),
        ("write_transfers", _transfers(changes)),
        ("write_ledger_transfers", ledger_columns.columns(changes)),
        ("write_events", _events(changes)),
        ("write_idempotency", _idempotency(changes)),
        ("write_books", _books(changes)),
    ]
    return [(statement, arguments) for statement, arguments in statements if arguments and arguments[0]]


def witness(changes: Changes) -> Witness | None:
    """Return the statement that finds a row of these changes and of no others, with its arguments."""
    for scope, event, _, _ in changes.events[:1]:
        return ("event_written", *scope, event.sequence, digits(event.id))
    for row in changes.idempotency[:1]:
        return ("idempotency_written", row.digest, *row.scope, row.request_id)
    return None


def _transpose(records: Sequence[tuple[Any, ...]]) -> Arguments:
    return [list(column) for column in zip(*records, strict=True)]


def _bare(identifier: str | None) -> str | None:
    return None if identifier is None else digits(identifier)


def _versions(changes: Changes) -> Arguments:
    return _transpose(
        [
            (
                scope.tenant_id,
                scope.livemode,
                digits(versioned.object.id),
                versioned.version,
                versioned.sequence,
                kind_of(versioned.object),
                rows.encode(versioned.object),
            )
            for scope, versioned in changes.versions
            if not isinstance(versioned.object, LedgerTransfer)
        ]
    )


def _head(scope: Scope, versioned: Versioned) -> tuple[Any, ...]:
    return (scope.tenant_id, scope.livemode, digits(versioned.object.id), versioned.version)


def _customers(written: list[Written]) -> Arguments:
    records = []
    for scope, versioned in written:
        customer = versioned.object
        assert isinstance(customer, Customer)
        records.append((*_head(scope, versioned), customer.deleted, customer.email))
    return _transpose(records)


def _payment_methods(written: list[Written]) -> Arguments:
    records = []
    for scope, versioned in written:
        method = versioned.object
        assert isinstance(method, PaymentMethod)
        records.append((*_head(scope, versioned), _bare(method.customer)))
    return _transpose(records)


def _payment_intents(written: list[Written]) -> Arguments:
    records = []
    for scope, versioned in written:
        intent = versioned.object
        assert isinstance(intent, PaymentIntent)
        records.append(
            (
                *_head(scope, versioned),
                intent.status,
                intent.currency,
                intent.amount,
                intent.amount_capturable,
                intent.amount_received,
                _bare(intent.customer),
            )
        )
    return _transpose(records)


def _charges(written: list[Written]) -> Arguments:
    records = []
    for scope, versioned in written:
        charge = versioned.object
        assert isinstance(charge, Charge)
        records.append(
            (
                *_head(scope, versioned),
                charge.status,
                charge.captured,
                charge.currency,
                charge.amount,
                charge.amount_captured,
                charge.amount_refunded,
                charge.fee,
                digits(charge.payment_intent),
                _bare(charge.customer),
            )
        )
    return _transpose(records)


def _refunds(written: list[Written]) -> Arguments:
    records = []
    for scope, versioned in written:
        refund = versioned.object
        assert isinstance(refund, Refund)
        records.append(
            (
                *_head(scope, versioned),
                refund.status,
                refund.currency,
                refund.amount,
                digits(refund.charge),
                digits(refund.payment_intent),
            )
        )
    return _transpose(records)


# Parents before children, since foreign keys are checked at the end of each statement.
_HEADS: tuple[tuple[type, str, Callable[[list[Written]], Arguments]], ...] = (
    (Customer, "write_customers", _customers),
    (PaymentMethod, "write_payment_methods", _payment_methods),
    (PaymentIntent, "write_payment_intents", _payment_intents),
    (Charge, "write_charges", _charges),
    (Refund, "write_refunds", _refunds),
)


def _accounts(changes: Changes) -> Arguments:
    return _transpose(
        [
            (
                scope.tenant_id,
                scope.livemode,
                digits(account.id),
                account.code,
                account.currency,
                account.normal_side,
                account.debits_posted,
                account.credits_posted,
                account.debits_pending,
                account.credits_pending,
                account.min_balance,
            )
            for scope, account in changes.accounts
        ]
    )


def _transfers(changes: Changes) -> Arguments:
    return _transpose(
        [
            (
                scope.tenant_id,
                scope.livemode,
                digits(transfer.id),
                sequence,
                transfer.kind,
                transfer.phase,
                digits(transfer.debit_account_id),
                digits(transfer.credit_account_id),
                transfer.currency,
                transfer.amount,
                digits(transfer.source_id),
                _bare(transfer.hold_id),
                moment_ms,
            )
            for scope, transfer, sequence, moment_ms in changes.transfers
        ]
    )


def _events(changes: Changes) -> Arguments:
    return _transpose(
        [
            (
                scope.tenant_id,
                scope.livemode,
                event.sequence,
                digits(event.id),
                event.type,
                digits(event.object_id),
                event.version,
                request_id,
                moment_ms,
            )
            for scope, event, request_id, moment_ms in changes.events
        ]
    )


def _idempotency(changes: Changes) -> Arguments:
    return _transpose(
        [
            (
                row.digest,
                row.scope.tenant_id,
                row.scope.livemode,
                row.idempotency_key,
                row.fingerprint,
                rows.encode(row.answer),
                row.request_id,
                row.moment_ms,
            )
            for row in changes.idempotency
        ]
    )


def _books(changes: Changes) -> Arguments:
    return _transpose([(book.scope.tenant_id, book.scope.livemode, book.sequence) for book in changes.books])
