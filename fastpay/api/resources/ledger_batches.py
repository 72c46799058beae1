"""Batches of transfers: requests to commands."""

from operator import itemgetter

import msgspec
from msgspec import UNSET

from fastpay import limits
from fastpay._native import transfers_json
from fastpay.api import kinds
from fastpay.api.card_texts import may_hold_card_number
from fastpay.api.context import Call
from fastpay.api.decoding import decode_params, is_json
from fastpay.api.params.common import Params, first_metadata
from fastpay.api.params.ledger import BatchTransferParams, CreateBatchParams
from fastpay.domain import money
from fastpay.domain.ledger_batches import HOLD, LINKED, BatchItems, CreateLedgerBatch
from fastpay.errors import FastpayError, InvalidRequest


class BatchParams(Params, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a request for a batch comes to, whatever it was written in."""

    dry_run: bool
    items: BatchItems

    def canonical(self) -> object:
        """Return maps by place as pairs: an encoder that sorts takes no keys but texts."""
        items = self.items
        if not items.expires_at and not items.metadata:
            return self
        plain = msgspec.structs.replace(items, expires_at={}, metadata={})
        extras = sorted(items.expires_at.items()), sorted(items.metadata.items(), key=itemgetter(0))
        return msgspec.structs.replace(self, items=plain), *extras


def decode(call: Call) -> BatchParams:
    """Read the body. Raises: InvalidRequest, UnsupportedMediaType."""
    content_type, body, query = call.headers.get("content-type"), call.take_body(), call.query
    if body and not query and is_json(content_type):
        plain = transfers_json.decode(body)
        if plain is not None:
            columns, dry_run = plain
            items = BatchItems(*columns)
            _check_metadata(call, items, body)
            return BatchParams(dry_run=dry_run, items=items)
    params = decode_params(CreateBatchParams, content_type=content_type, body=body, query=query)
    items = _items(params.transfers)
    _check_metadata(call, items, body)
    return BatchParams(dry_run=params.dry_run, expand=params.expand, items=items)


def is_trial(params: BatchParams) -> bool:
    """Tell whether nothing of it is to be kept."""
    return params.dry_run


def create(call: Call, params: BatchParams) -> CreateLedgerBatch:
    """Make many transfers."""
    return CreateLedgerBatch(items=params.items, dry_run=params.dry_run, expand=params.expand)


def _check_metadata(call: Call, items: BatchItems, body: bytes) -> None:
    """Look for card numbers in the only texts that a batch brings. Raises: InvalidRequest."""
    if items.metadata and may_hold_card_number(call.headers.get("content-type"), body, call.query):
        for place, metadata in items.metadata.items():
            call.services.card_texts.check_metadata(metadata, param=f"transfers[{place}][metadata]")


def _items(transfers: tuple[BatchTransferParams, ...]) -> BatchItems:
    """Return the transfers as columns. What is plain is let through at a glance, thousands at a time."""
    numbers: dict[str, int] = {}
    items = BatchItems([], [], [], [], [])
    for place, transfer in enumerate(transfers):
        amount = transfer.amount
        debit = numbers.get(transfer.debit_account)
        credit = numbers.get(transfer.credit_account)
        is_plain = transfer.expires_at is UNSET and transfer.metadata is UNSET
        if (
            debit is None
            or credit is None
            or not is_plain
            or not limits.amount_min <= amount <= limits.amount_max
        ):
            try:
                _check(transfer)
            except FastpayError as error:
                param = f"transfers[{place}][{error.param}]"
                raise InvalidRequest(error.message, code=error.code, param=param) from None
            debit = numbers.setdefault(transfer.debit_account, len(numbers))
            credit = numbers.setdefault(transfer.credit_account, len(numbers))
            _add_extras(items, place, transfer)
        items.debits.append(debit)
        items.credits.append(credit)
        items.amounts.append(amount)
        items.flags.append(transfer.linked * LINKED + transfer.hold * HOLD)
    items.accounts.extend(numbers)
    return items


def _add_extras(items: BatchItems, place: int, transfer: BatchTransferParams) -> None:
    """Add what few transfers have; metadata without a value is none."""
    if isinstance(transfer.expires_at, int):
        items.expires_at[place] = transfer.expires_at
    kept = {key: value for key, value in first_metadata(transfer.metadata).items() if value}
    if kept:
        items.metadata[place] = kept


def _check(transfer: BatchTransferParams) -> None:
    """Hold a transfer to what can be known of it by itself. Raises: FastpayError."""
    money.check_amount(transfer.amount)
    for name in ("debit_account", "credit_account"):
        kinds.check(kinds.LEDGER_ACCOUNT, getattr(transfer, name), param=name)
    if isinstance(transfer.expires_at, int) and not transfer.hold:
        raise InvalidRequest("Only a hold expires: give hold=true as well.", param="expires_at")
