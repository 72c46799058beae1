"""Batches of transfers: thousands in one request."""

import functools
from typing import Literal, TypedDict

import msgspec

from fastpay import limits
from fastpay.api.common_params import NoParams
from fastpay.api.context import Call
from fastpay.api.reads import Retrieve
from fastpay.api.resource import Encoding, Resource
from fastpay.api.resources.ledger_batches.decoding import BatchParams, CreateBatchParams, decode
from fastpay.api.routes import Route
from fastpay.api.writes import Reading, Write
from fastpay.domain import kinds
from fastpay.domain.identifiers import POSITIONS_PER_SEQUENCE, identifier_at, moment_of
from fastpay.domain.ledger_batches import CreateLedgerBatch
from fastpay.domain.ledger_objects import LedgerBatch

# The identifiers of a batch's transfers differ only in their last digits, which begin at few numbers.
_LAST_DIGITS = 4
_BEGINNINGS = 0x1_0000 // POSITIONS_PER_SEQUENCE


class _Result(TypedDict):
    code: str | None
    id: str | None


class _Shown(TypedDict):
    id: str
    object: Literal["ledger_batch"]
    created: int
    dry_run: bool
    failed: int
    livemode: bool
    results: list[_Result]
    sequence: int | None
    succeeded: int


def _encode(batch: msgspec.Struct, livemode: bool, whole: bytes | None = None) -> bytes:
    """Return the batch in JSON, with the result of each transfer in the order of the request."""
    assert isinstance(batch, LedgerBatch)
    failed = sum(map(len, batch.failures.values()))
    shown = {
        "id": batch.id,
        "object": "ledger_batch",
        "created": batch.created,
        "dry_run": batch.dry_run,
        "failed": failed,
        "livemode": livemode,
        "results": _results(batch),
        "sequence": None if batch.dry_run else batch.sequence,
        "succeeded": batch.count - failed,
    }
    return msgspec.json.encode(shown)


def _results(batch: LedgerBatch) -> msgspec.Raw:
    """Return the results as JSON. Dicts for thousands would take as long as the rest of the request."""
    if batch.dry_run:
        results = ['{"code":null,"id":null}'] * batch.count
    else:
        first = identifier_at("ltr", moment_of(batch.id), batch.sequence, 0)
        before, after = f'{{"code":null,"id":"{first[:-_LAST_DIGITS]}', '"}'
        counted = _counted(int(first[-_LAST_DIGITS:], 16))[: batch.count]
        if not batch.failures:
            # The text between the last digits of two identifiers is always the same.
            return msgspec.Raw(f"[{before}{f'{after},{before}'.join(counted)}{after}]".encode())
        results = [f"{before}{digits}{after}" for digits in counted]
    for code, positions in batch.failures.items():
        for position in positions:
            results[position] = f'{{"code":"{code}","id":null}}'
    return msgspec.Raw(f"[{','.join(results)}]".encode())


@functools.lru_cache(maxsize=_BEGINNINGS)
def _counted(first: int) -> list[str]:
    """Return the last digits of the identifiers of a batch, which count up from the first."""
    return [f"{first + number:0{_LAST_DIGITS}x}" for number in range(limits.ledger_batch_transfers_max)]


LEDGER_BATCH = Resource(kinds.LEDGER_BATCH, encode=Encoding(_Shown, _encode))


def create(call: Call, params: BatchParams) -> CreateLedgerBatch:
    """Make many transfers."""
    return CreateLedgerBatch(items=params.items, dry_run=params.dry_run)


def is_trial(params: BatchParams) -> bool:
    """Tell whether the batch is a dry run."""
    return params.dry_run


RESOURCES = (LEDGER_BATCH,)
ROUTES = (
    Route(
        "POST",
        "/v1/ledger/batches",
        Write(
            LEDGER_BATCH,
            BatchParams,
            create,
            reading=Reading(CreateBatchParams, decode),
            is_trial=is_trial,
            body_factor=limits.ledger_batch_body_factor,
        ),
    ),
    Route("GET", "/v1/ledger/batches/{id}", Retrieve(LEDGER_BATCH, NoParams)),
)
