"""Requests for batches of transfers: JSON or a form to columns, a long body in pieces."""

import re
from operator import itemgetter
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from fastpay import limits
from fastpay._native import json_pieces, transfers_json
from fastpay.api.card_texts import may_hold_card_number
from fastpay.api.common_params import Identifier, Metadata, Params, Part, first_metadata
from fastpay.api.context import Call
from fastpay.api.decoding import decode_params, is_json
from fastpay.api.ledger_params import Second
from fastpay.domain import kinds, money
from fastpay.domain.ledger_batches import HOLD, LINKED, BatchItems, Steps
from fastpay.errors import FastpayError, InvalidRequest

_VALUES_MAX = limits.json_values_max + limits.ledger_transfer_values_max * limits.ledger_batch_transfers_max
# A piece, what is around it, and its last transfer, which may have much metadata.
_PIECE_VALUES_MAX = limits.ledger_piece_values_min + limits.json_values_max
_TRANSFER = re.compile(r"transfers\[([0-9]+)\](.*)", re.DOTALL)


class BatchTransferParams(Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One transfer of a batch. A linked one succeeds or fails together with the next."""

    amount: int
    credit_account: Identifier
    debit_account: Identifier
    expires_at: Second | UnsetType | None = UNSET
    hold: bool = False
    linked: bool = False
    metadata: Metadata | UnsetType | None = UNSET


class CreateBatchParams(Params, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Make many transfers."""

    dry_run: bool = False
    transfers: Annotated[
        tuple[BatchTransferParams, ...], Meta(min_length=1, max_length=limits.ledger_batch_transfers_max)
    ]


class BatchParams(Params, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The parameters of a batch as columns, from a form or JSON."""

    dry_run: bool
    items: BatchItems

    def canonical(self) -> object:
        """Return maps by index as pairs: an encoder that sorts accepts only text keys."""
        items = self.items
        if not items.expires_at and not items.metadata:
            return self
        plain = msgspec.structs.replace(items, expires_at={}, metadata={})
        extras = sorted(items.expires_at.items()), sorted(items.metadata.items(), key=itemgetter(0))
        return msgspec.structs.replace(self, items=plain), *extras


async def decode(call: Call) -> BatchParams:
    """Read the body. Between the pieces of a long one other tasks run.

    Raises: InvalidRequest, UnsupportedMediaType.
    """
    body = call.take_body()
    params = await _decode(call, body)
    if params.items.metadata and may_hold_card_number(call.headers.get("content-type"), body, call.query):
        await call.services.background.run(call.scope, _check_metadata(call, params.items))
    return params


async def _decode(call: Call, body: bytes) -> BatchParams:
    content_type, query = call.headers.get("content-type"), call.query
    in_json = bool(body) and is_json(content_type)
    is_long = len(body) > limits.short_body_bytes
    # Beside other tenants a long body is read only in pieces.
    if in_json and not query and not (is_long and call.services.background.is_contended()):
        plain = transfers_json.decode(body)
        if plain is not None:
            columns, dry_run = plain
            return BatchParams(dry_run=dry_run, items=BatchItems(*columns))
    if in_json and is_long:
        async with call.services.reading:
            reading = _decode_in_pieces(content_type, body, query)
            return await call.services.background.run(call.scope, reading)
    return _decode_with_care(content_type, body, query)


def _check_metadata(call: Call, items: BatchItems) -> Steps[None]:
    """Look for card numbers in the metadata, the only texts of a batch. Raises: InvalidRequest."""
    for number, (index, metadata) in enumerate(items.metadata.items(), 1):
        call.services.card_texts.check_metadata(metadata, param=f"transfers[{index}][metadata]")
        if number % limits.transfers_at_once_max == 0:
            yield


def _decode_in_pieces(content_type: str | None, body: bytes, query: bytes) -> Steps[BatchParams]:
    """Read a long body piece by piece. The first fault ends it, and no later piece is read."""
    size, values = limits.transfers_at_once_max, limits.ledger_piece_values_min
    try:
        found = json_pieces.split(body, b"transfers", size, values, _VALUES_MAX)
    except json_pieces.TooManyValues:
        raise InvalidRequest(
            f"The JSON has too many values: at most {_VALUES_MAX} are allowed. Send smaller batches.",
            code="parameters_too_many",
            param="transfers",
        ) from None
    if found is None:
        return _refuse_unfound(content_type, body, query)
    pieces, count = found
    if count > limits.ledger_batch_transfers_max:
        most = limits.ledger_batch_transfers_max
        message = f"There are {count} elements. There must be from 1 to {most}."
        raise InvalidRequest(message, param="transfers")
    # What is around the transfers is read with the first piece.
    around = body[: pieces[0][1]] + body[pieces[-1][1] :]
    params = _decode_with_care(content_type, around, query, _PIECE_VALUES_MAX)
    accounts = {account: number for number, account in enumerate(params.items.accounts)}
    for start, end in pieces[1:]:
        yield
        index = len(params.items.amounts)
        piece = b'{"transfers":[' + body[start:end] + b"]}"
        plain = transfers_json.decode(piece)
        if plain is not None:
            _extend(params.items, accounts, BatchItems(*plain[0]))
            continue
        try:
            read = _decode_with_care(content_type, piece, b"", _PIECE_VALUES_MAX)
        except InvalidRequest as error:
            raise _moved(error, index) from None
        _extend(params.items, accounts, read.items)
    params.items.accounts[:] = accounts
    return params


def _refuse_unfound(content_type: str | None, body: bytes, query: bytes) -> BatchParams:
    """Read a body whose list of transfers cannot be split, if it is short enough to be read at once."""
    try:
        return _decode_with_care(content_type, body, query, limits.json_values_max)
    except InvalidRequest as error:
        if error.code != "parameters_too_many":
            raise
    raise InvalidRequest(
        "The body is not valid JSON, or does not have exactly one list of transfers.", param="transfers"
    )


def _decode_with_care(
    content_type: str | None, body: bytes, query: bytes, values_max: int = _VALUES_MAX
) -> BatchParams:
    params = decode_params(
        CreateBatchParams, content_type=content_type, body=body, query=query, json_values_max=values_max
    )
    return BatchParams(dry_run=params.dry_run, expand=params.expand, items=_items(params.transfers))


def _extend(items: BatchItems, accounts: dict[str, int], more: BatchItems) -> None:
    """Add transfers to those before them, by the numbers that accounts have there."""
    index = len(items.amounts)
    numbers = [accounts.setdefault(account, len(accounts)) for account in more.accounts]
    items.debits.extend([numbers[debit] for debit in more.debits])
    items.credits.extend([numbers[credit] for credit in more.credits])
    items.amounts.extend(more.amounts)
    items.flags.extend(more.flags)
    items.expires_at.update({index + at: second for at, second in more.expires_at.items()})
    items.metadata.update({index + at: metadata for at, metadata in more.metadata.items()})


def _moved(error: InvalidRequest, index: int) -> InvalidRequest:
    """Return an error that names a transfer by its index in the batch and not in its piece."""
    named = _TRANSFER.match(error.param or "")
    if named is None:
        return error
    before, after = f"transfers[{named[1]}]", f"transfers[{index + int(named[1])}]"
    return InvalidRequest(
        error.message.replace(before, after),
        code=error.code,
        param=f"{after}{named[2]}"[: limits.param_chars_max],
    )


def _items(transfers: tuple[BatchTransferParams, ...]) -> BatchItems:
    """Return the transfers as columns. Plain transfers skip the full check."""
    numbers: dict[str, int] = {}
    items = BatchItems([], [], [], [], [], {}, {})
    for index, transfer in enumerate(transfers):
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
                param = f"transfers[{index}][{error.param}]"
                raise InvalidRequest(error.message, code=error.code, param=param) from None
            debit = numbers.setdefault(transfer.debit_account, len(numbers))
            credit = numbers.setdefault(transfer.credit_account, len(numbers))
            _add_extras(items, index, transfer)
        items.debits.append(debit)
        items.credits.append(credit)
        items.amounts.append(amount)
        items.flags.append(transfer.linked * LINKED + transfer.hold * HOLD)
    items.accounts.extend(numbers)
    return items


def _add_extras(items: BatchItems, index: int, transfer: BatchTransferParams) -> None:
    """Add expiry and metadata, which few transfers have. Metadata without a value is left out."""
    if isinstance(transfer.expires_at, int):
        items.expires_at[index] = transfer.expires_at
    kept = {key: value for key, value in first_metadata(transfer.metadata).items() if value}
    if kept:
        items.metadata[index] = kept


def _check(transfer: BatchTransferParams) -> None:
    """Check a transfer as far as that needs no other data. Raises: FastpayError."""
    money.check_amount(transfer.amount)
    for name in ("debit_account", "credit_account"):
        kinds.check(kinds.LEDGER_ACCOUNT, getattr(transfer, name), param=name)
    if isinstance(transfer.expires_at, int) and not transfer.hold:
        raise InvalidRequest("Only a hold expires: give hold=true as well.", param="expires_at")
