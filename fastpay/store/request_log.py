"""What was asked and answered, in a table with a partition for each day."""

from collections.abc import Sequence
from typing import Any

from fastpay.domain.identifiers import Scope
from fastpay.engine.request_log_ports import LoggedError, LoggedRequest
from fastpay.store import rows
from fastpay.store.pool import ReaderPool
from fastpay.store.reads import PostgresReads
from fastpay.store.statements import SQL

_NO_ERROR = (None, None, None, None, None)


class PostgresRequestLog:
    """Satisfies `RequestStore`. It writes over `pool`, and finds over `reads`."""

    def __init__(self, reads: PostgresReads, pool: ReaderPool) -> None:
        self._reads = reads
        self._fetch = pool.fetch

    async def write(self, requests: Sequence[LoggedRequest]) -> None:
        """Keep requests, all with a scope. Those that are kept already stay as they are."""
        await self._fetch(SQL["request_log_write"], *to_columns(requests))

    async def find(self, scope: Scope, request_id: str) -> LoggedRequest | None:
        """Return a request of this tenant and mode."""
        found = await self._reads.fetch_for(scope, SQL["request_log_find"], *scope, request_id)
        return _request_of(found[0]) if found else None

    async def make_partitions(self) -> None:
        """Make partitions for the next days."""
        await self._fetch(SQL["request_log_make_partitions"])

    async def drop_partitions(self, *, retention_days: int) -> None:
        """Drop the partitions that are too old."""
        await self._fetch(SQL["request_log_drop_partitions"], retention_days)


def to_columns(requests: Sequence[LoggedRequest]) -> list[list[Any]]:
    """Return the columns of requests, in the order in which the statement takes them."""
    return [list(column) for column in zip(*map(_row, requests), strict=True)]


def _row(request: LoggedRequest) -> tuple[Any, ...]:
    assert request.scope is not None
    error = request.error
    return (
        *request.scope,
        request.request_id,
        request.moment_ms,
        request.duration_us,
        request.method,
        request.path,
        request.status,
        None if request.key_id is None else request.key_id.replace("-", ""),
        request.idempotency_key,
        request.original_request_id,
        request.parameters,
        request.object_id,
        request.sequence,
        *(
            _NO_ERROR
            if error is None
            else (error.type, error.code, error.decline_code, error.param, error.message)
        ),
        request.user_agent,
    )


def _request_of(row: rows.Row) -> LoggedRequest:
    error = None
    if row["error_type"] is not None:
        names = ("error_type", "error_code", "decline_code", "error_param", "error_message")
        error = LoggedError(*(row[name] for name in names))
    return LoggedRequest(
        request_id=row["request_id"],
        scope=rows.scope_of(row),
        moment_ms=row["moment_ms"],
        duration_us=row["duration_us"],
        method=row["method"],
        path=row["path"],
        status=row["status"],
        key_id=None if row["key_id"] is None else str(row["key_id"]),
        idempotency_key=row["idempotency_key"],
        original_request_id=row["original_request_id"],
        parameters=row["parameters"],
        object_id=row["object_id"],
        sequence=row["sequence"],
        error=error,
        user_agent=row["user_agent"],
    )
