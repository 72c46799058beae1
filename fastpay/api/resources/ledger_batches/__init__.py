"""Batches of transfers: thousands in one request."""

import functools

import msgspec

from fastpay import limits
from fastpay.api.common_params import NoParams
from fastpay.api.context import Call
from fastpay.api.reads import Retrieve
from fastpay.api.resource import Resource
from fastpay.api.resources.ledger_batches.decoding import BatchParams, decode
from fastpay.api.routes import Route
from fastpay.api.writes import Write
from fastpay.domain import kinds
from fastpay.domain.identifiers import POSITIONS_PER_SEQUENCE, identifier_at, moment_of
from fastpay.domain.ledger_batches import CreateLedgerBatch
from fastpay.domain.ledger_objects import LedgerBatch

# The identifiers of a batch's transfers differ in so many digits at most, which begin in one of a few ways.
_LAST_DIGITS = 4
_BEGINNINGS = 0x1_0000 // POSITIONS_PER_SEQUENCE


def _encode(batch: msgspec.Struct, livemode: bool, whole: bytes | None = None) -> bytes:
    """Return what became of each transfer of a batch, in the order they were given."""
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
    """Return the results as JSON: as dicts, thousands of them would cost what all else about them costs."""
    if batch.dry_run:
        results = ['{"code":null,"id":null}'] * batch.count
    else:
        first = identifier_at("ltr", moment_of(batch.id), batch.sequence, 0)
        before, after = f'{{"code":null,"id":"{first[:-_LAST_DIGITS]}', '"}'
        counted = _counted(int(first[-_LAST_DIGITS:], 16))[: batch.count]
        if not batch.failures:
            # All that there is between the last digits of two identifiers is always the same.
            return msgspec.Raw(f"[{before}{f'{after},{before}'.join(counted)}{after}]".encode())
        results = [f"{before}{digits}{after}" for digits in counted]
    for code, places in batch.failures.items():
        for place in places:
            results[place] = f'{{"code":"{code}","id":null}}'
    return msgspec.Raw(f"[{','.join(results)}]".encode())


@functools.lru_cache(maxsize=_BEGINNINGS)
def _counted(first: int) -> list[str]:
    """Return the last digits of the identifiers of a batch, of which the first is given: they count up."""
    return [f"{first + place:0{_LAST_DIGITS}x}" for place in range(limits.ledger_batch_transfers_max)]


LEDGER_BATCH = Resource(kinds.LEDGER_BATCH, encode=_encode)


def create(call: Call, params: BatchParams) -> CreateLedgerBatch:
    """Make many transfers."""
    return CreateLedgerBatch(items=params.items, dry_run=params.dry_run)


def is_trial(params: BatchParams) -> bool:
    """Tell whether nothing of it is to be kept."""
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
            decode=decode,
            is_trial=is_trial,
            body_factor=limits.ledger_batch_body_factor,
        ),
    ),
    Route("GET", "/v1/ledger/batches/{id}", Retrieve(LEDGER_BATCH, NoParams)),
)
