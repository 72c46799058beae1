"""The registry of kinds of object: one row a kind.

A row holds the prefix of the identifiers, the noun of error messages and, where objects of the kind are
stored as snapshots, the number that stands for the kind in the database and the class of the snapshots. A
class names its own prefix and noun, so that its commands can use them. What another floor knows of a kind is
keyed by its prefix, in one place of that floor: `store/tables.py`, `engine/read/`, `api/resources/`.
"""

from collections.abc import Mapping

import msgspec

from fastpay import limits
from fastpay.domain import cards, cash_objects, sources
from fastpay.domain.application_fees import ApplicationFee, FeeRefund
from fastpay.domain.cash_objects import CashTransaction, FundingInstructions
from fastpay.domain.confirmation_tokens import ConfirmationToken
from fastpay.domain.connected_accounts import ConnectedAccount
from fastpay.domain.dispute_objects import Dispute
from fastpay.domain.funds import Balance
from fastpay.domain.identifiers import Scope, is_well_formed
from fastpay.domain.imports import ImportedObject
from fastpay.domain.ledger_objects import LedgerAccount, LedgerBatch, LedgerTransfer
from fastpay.domain.objects import (
    Charge,
    Customer,
    PaymentIntent,
    PaymentMethod,
    Refund,
    StoredObject,
    missing,
)
from fastpay.domain.payouts import Payout
from fastpay.domain.processor_objects import Attempt
from fastpay.domain.settlements import Settlement
from fastpay.domain.setup_objects import Mandate, SetupAttempt, SetupIntent
from fastpay.domain.tokens import Token
from fastpay.domain.transfers import AccountTransfer, TransferReversal
from fastpay.domain.webhook_endpoints import WebhookEndpoint, WebhookReplay
from fastpay.errors import NotFound


class Kind(msgspec.Struct, frozen=True, gc=False):
    """A kind of object. `param` is how an error calls the identifier in a path."""

    prefix: str
    noun: str
    param: str = "id"


class StoredKind(Kind, frozen=True, gc=False, kw_only=True):
    """A kind of which snapshots are stored. A number is never used again for another kind."""

    number: int
    struct: type[StoredObject]


def _named(struct: type[StoredObject]) -> Kind:
    return Kind(struct.prefix, struct.noun, struct.param)


def _stored(number: int, struct: type[StoredObject]) -> StoredKind:
    return StoredKind(struct.prefix, struct.noun, struct.param, number=number, struct=struct)


CUSTOMER = _stored(1, Customer)
PAYMENT_METHOD = _stored(2, PaymentMethod)
PAYMENT_INTENT = _stored(3, PaymentIntent)
CHARGE = _stored(4, Charge)
REFUND = _stored(5, Refund)
LEDGER_ACCOUNT = _stored(6, LedgerAccount)
LEDGER_BATCH = _stored(7, LedgerBatch)
SETUP_INTENT = _stored(8, SetupIntent)
SETUP_ATTEMPT = _stored(9, SetupAttempt)
MANDATE = _stored(10, Mandate)
BALANCE = _stored(11, Balance)
PAYOUT = _stored(12, Payout)
# The tenant itself has an account too, which is not stored.
ACCOUNT = _stored(13, ConnectedAccount)
TRANSFER = _stored(14, AccountTransfer)
TRANSFER_REVERSAL = _stored(15, TransferReversal)
TOKEN = _stored(16, Token)
CONFIRMATION_TOKEN = _stored(17, ConfirmationToken)
DISPUTE = _stored(18, Dispute)
WEBHOOK_ENDPOINT = _stored(19, WebhookEndpoint)
WEBHOOK_REPLAY = _stored(20, WebhookReplay)
APPLICATION_FEE = _stored(21, ApplicationFee)
FEE_REFUND = _stored(22, FeeRefund)
CASH_TRANSACTION = _stored(23, CashTransaction)
FUNDING_INSTRUCTIONS = _stored(24, FundingInstructions)
ATTEMPT = _stored(25, Attempt)
SETTLEMENT = _stored(26, Settlement)
IMPORTED = _stored(27, ImportedObject)

# Rows of the ledger, and what is computed from them: no snapshots, and so no number.
LEDGER_TRANSFER = _named(LedgerTransfer)
LEDGER_BALANCE = Kind("lbal", "ledger balance")
LEDGER_ENTRY = Kind("lent", "ledger entry")
BALANCE_TRANSACTION = Kind("txn", "balance transaction")
EVENT = Kind("evt", "event")
WEBHOOK_ATTEMPT = Kind("wat", "webhook attempt")
# A row of a settlement file.
SETTLEMENT_ROW = Kind("stlr", "settlement row")
# What takes application fees: the tenant.
APPLICATION = Kind("ca", "application")
# A payment method, as a source of its customer.
SOURCE = Kind(sources.PREFIX, sources.NOUN)
# What a customer has transferred from a bank: a view of the customer.
CASH_BALANCE = Kind(cash_objects.PREFIX, cash_objects.NOUN)

# Every row above, and those of which snapshots are stored, by prefix.
_ROWS = [row for row in list(globals().values()) if isinstance(row, Kind)]
KINDS: Mapping[str, Kind] = {kind.prefix: kind for kind in _ROWS}
STORED: Mapping[str, StoredKind] = {kind.prefix: kind for kind in _ROWS if isinstance(kind, StoredKind)}
NUMBERS: Mapping[type[StoredObject], int] = {kind.struct: kind.number for kind in STORED.values()}
assert len(KINDS) == len(_ROWS)
assert len(set(NUMBERS.values())) == len(STORED)


def number_of(stored: StoredObject) -> int:
    """Return the number of the kind of an object."""
    return NUMBERS[type(stored)]


def account_of(scope: Scope) -> str:
    """Return the identifier of a tenant's account, the same in both modes."""
    return f"{ACCOUNT.prefix}_{scope.tenant_id}"


def application_of(scope: Scope) -> str:
    """Return the identifier of a tenant's only application."""
    return f"{APPLICATION.prefix}_{scope.tenant_id}"


def could_be(kind: Kind, identifier: str) -> bool:
    """Tell whether an identifier could be one of this kind."""
    return is_well_formed(identifier, kind.prefix)


def check(kind: Kind, identifier: str, *, param: str | None = None) -> str:
    """Return the identifier if it could be one of this kind.

    Raises: NotFound otherwise, with the words of one that does not exist.
    """
    if not could_be(kind, identifier):
        raise absent(kind, identifier, param=param)
    return identifier


def absent(kind: Kind, identifier: str, *, param: str | None = None) -> NotFound:
    """Return the error for an identifier that any client may have sent and no object has."""
    shown = identifier if could_be(kind, identifier) else presentable(identifier)
    return missing(kind, shown, param=param)


def presentable(text: str) -> str:
    """Return what an error message may show of a client's text: short, encodable and no card number."""
    if cards.holds_number(text):
        return f"({len(text)} characters)"
    return text[: limits.identifier_chars_max].encode("utf-8", "replace").decode()
