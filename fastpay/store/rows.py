"""Converts rows to domain values and back. Identifiers are stored without their prefix."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec

from fastpay._native.packing import Packer
from fastpay.clock import Clock
from fastpay.domain.identifiers import Scope
from fastpay.domain.kinds import STORED
from fastpay.domain.ledger import SOURCE_PREFIXES, Account, Transfer
from fastpay.domain.objects import Charge, PaymentMethod, StoredObject
from fastpay.domain.plan import Answer, Book, Versioned
from fastpay.domain.rules import Rules
from fastpay.engine.ports import IdempotencyRow

_SNAPSHOT_DECODERS = {kind.number: msgspec.msgpack.Decoder(kind.struct) for kind in STORED.values()}
_ANSWER_DECODER = msgspec.msgpack.Decoder(Answer)
_RULES_DECODER = msgspec.json.Decoder(Rules)
_RULES_ENCODER = msgspec.json.Encoder(order="deterministic")


def _defaults_from(struct_type: type[StoredObject], first: str) -> tuple[int, tuple[object, ...]]:
    fields = msgspec.structs.fields(struct_type)
    start = next(index for index, field in enumerate(fields) if field.name == first)
    return start, tuple(
        field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()
        for field in fields[start:]
    )


# From which field on most objects of a kind have the defaults. Each byte of a snapshot is in the table and in
# the log; the few that a payment intent ends with are not worth the look.
_PACKER = Packer(
    {
        PaymentMethod: _defaults_from(PaymentMethod, "allow_redisplay"),
        Charge: _defaults_from(Charge, "outcome_reason"),
    }
)

# A row of asyncpg, which has no types. It is indexed by column name.
Row = Any


# Returns the MessagePack form of an object that is stored, without fields at the end that decoding adds.
encode: Callable[[StoredObject], bytes] = _PACKER.pack
encode_all: Callable[[list[StoredObject]], list[bytes]] = _PACKER.pack_all
# Answers have no tails.
encode_answers: Callable[[list[Answer]], list[bytes]] = _PACKER.pack_all


def timestamp(clock: Clock) -> datetime:
    """Return the clock's time as a parameter of type timestamptz."""
    return datetime.fromtimestamp(clock.now_ms() / 1000, UTC)


def scope_of(row: Row) -> Scope:
    """Return the tenant and mode of a row."""
    return Scope(row["tenant_id"].hex, row["livemode"])


def versioned(row: Row) -> Versioned:
    """Return an object with its version."""
    return Versioned(stored(row["kind"], row["snapshot"]), row["version"], row["sequence"])


def stored(kind: int, snapshot: bytes) -> StoredObject:
    """Return the object of a snapshot."""
    return _SNAPSHOT_DECODERS[kind].decode(snapshot)


def book(row: Row) -> Book:
    """Return a tenant's book."""
    return Book(scope_of(row), row["sequence"], rules(row["rules"]))


def rules(text: str) -> Rules:
    """Return the rules in the column `rules` of a book."""
    return _RULES_DECODER.decode(text)


def encode_rules(rules: Rules) -> str:
    """Return rules exactly as the trigger `book_rules` writes them, to compare the two as text."""
    return _RULES_ENCODER.encode(rules).decode()


def account(row: Row) -> Account:
    """Return a ledger account."""
    return Account(
        id="lacc_" + row["account_id"].hex,
        code=row["code"],
        currency=row["currency"],
        normal_side=row["normal_side"],
        debits_posted=row["debits_posted"],
        credits_posted=row["credits_posted"],
        debits_pending=row["debits_pending"],
        credits_pending=row["credits_pending"],
        min_balance=row["min_balance"],
    )


def transfer(row: Row) -> Transfer:
    """Return a transfer."""
    return Transfer(
        id="tr_" + row["transfer_id"].hex,
        kind=row["kind"],
        phase=row["phase"],
        debit_account_id="lacc_" + row["debit_account_id"].hex,
        credit_account_id="lacc_" + row["credit_account_id"].hex,
        currency=row["currency"],
        amount=row["amount"],
        source_id=source_of(row),
        hold_id=None if row["hold_id"] is None else "tr_" + row["hold_id"].hex,
    )


def source_of(row: Row) -> str:
    """Return the identifier of the object that a transfer belongs to."""
    return f"{SOURCE_PREFIXES[row['kind']]}_{row['source_id'].hex}"


def idempotency(row: Row) -> IdempotencyRow:
    """Return a first answer."""
    return IdempotencyRow(
        digest=row["digest"],
        scope=scope_of(row),
        idempotency_key=row["idempotency_key"],
        fingerprint=row["fingerprint"],
        answer=_ANSWER_DECODER.decode(row["answer"]),
        request_id=row["request_id"],
        moment_ms=row["moment_ms"],
    )
