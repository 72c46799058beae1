"""Batches of transfers: requests to commands."""

from msgspec import UnsetType

from fastpay.api import kinds
from fastpay.api.context import Call
from fastpay.api.decoding import decode_params
from fastpay.api.params.common import Params
from fastpay.api.params.ledger import BatchTransferParams, CreateBatchParams
from fastpay.domain import money
from fastpay.domain.ledger_batches import HOLD, LINKED, BatchItems, CreateLedgerBatch
from fastpay.errors import FastpayError, InvalidRequest


class BatchParams(Params, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a request for a batch comes to, whatever it was written in."""

    dry_run: bool
    items: BatchItems


def decode(call: Call) -> BatchParams:
    """Read the body. Raises: InvalidRequest, UnsupportedMediaType."""
    params = decode_params(
        CreateBatchParams,
        content_type=call.headers.get("content-type"),
        body=call.take_body(),
        query=call.query,
    )
    return BatchParams(dry_run=params.dry_run, expand=params.expand, items=_items(params.transfers))


def is_trial(params: BatchParams) -> bool:
    """Tell whether nothing of it is to be kept."""
    return params.dry_run


def create(call: Call, params: BatchParams) -> CreateLedgerBatch:
    """Make many transfers."""
    return CreateLedgerBatch(items=params.items, dry_run=params.dry_run, expand=params.expand)


def _items(transfers: tuple[BatchTransferParams, ...]) -> BatchItems:
    numbers: dict[str, int] = {}
    items = BatchItems([], [], [], [], [])
    for place, transfer in enumerate(transfers):
        try:
            _check(transfer)
        except FastpayError as error:
            param = f"transfers[{place}][{error.param}]"
            raise InvalidRequest(error.message, code=error.code, param=param) from None
        items.debits.append(numbers.setdefault(transfer.debit_account, len(numbers)))
        items.credits.append(numbers.setdefault(transfer.credit_account, len(numbers)))
        items.amounts.append(transfer.amount)
        items.flags.append((LINKED if transfer.linked else 0) | (HOLD if transfer.hold else 0))
        if isinstance(transfer.expires_at, int):
            items.expires_at[place] = transfer.expires_at
        metadata = transfer.metadata
        if metadata is not None and not isinstance(metadata, UnsetType) and any(metadata.values()):
            items.metadata[place] = {key: value for key, value in metadata.items() if value}
    items.accounts.extend(numbers)
    return items


def _check(transfer: BatchTransferParams) -> None:
    money.check_amount(transfer.amount)
    for name in ("debit_account", "credit_account"):
        identifier = getattr(transfer, name)
        if not kinds.could_be(kinds.LEDGER_ACCOUNT, identifier):
            missing = kinds.absent(kinds.LEDGER_ACCOUNT, identifier, param=name)
            raise InvalidRequest(missing.message, code=missing.code, param=name)
    if isinstance(transfer.expires_at, int) and not transfer.hold:
        raise InvalidRequest("Only a hold expires: give hold=true as well.", param="expires_at")
