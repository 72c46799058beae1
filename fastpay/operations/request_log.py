"""Puts the request log together."""

from collections.abc import Callable, Sequence

from fastpay import limits
from fastpay.api.request_notes import Note, RequestNotes, describe
from fastpay.clock import Clock
from fastpay.config import Settings
from fastpay.engine.periodic import PeriodicWork
from fastpay.engine.request_log import RequestLog
from fastpay.engine.request_log_ports import LoggedRequest
from fastpay.observability import telemetry
from fastpay.observability.counters import Counters
from fastpay.operations.parts import Part
from fastpay.store.pool import ReaderPool
from fastpay.store.reads import PostgresReads
from fastpay.store.request_log import PostgresRequestLog

_log = telemetry.Log("fastpay.requests")


class Partitions(PeriodicWork):
    """Makes the partitions of the request log while there is one, and drops those that are too old."""

    def __init__(
        self, store: PostgresRequestLog, settings: Settings, *, clock: Clock, is_away: Callable[[], bool]
    ) -> None:
        self._store = store
        self._retention_days = settings.request_log_days
        self._is_on = settings.request_log_connections > 0
        work = ("request log", self.keep, limits.request_log_partitions_ms)
        super().__init__(work, clock=clock, log=_log, is_away=is_away)

    async def keep(self) -> None:
        """Do it. Raises: DatabaseUnavailable, Overloaded."""
        if self._is_on:
            await self._store.make_partitions()
        await self._store.drop_partitions(retention_days=self._retention_days)


def open_request_log(
    settings: Settings,
    reads: PostgresReads,
    pool: ReaderPool,
    open_pool: Callable[[str, int], ReaderPool],
    counters: Counters,
    clock: Clock,
    is_away: Callable[[], bool],
) -> tuple[RequestNotes | None, list[Part]]:
    """Return what takes notes of requests, and the parts to start. It is None if requests are not logged.

    What was logged before is dropped after its retention, whatever the settings are now. Writing has a
    connection of its own, so that no read waits for it.
    """
    connections = settings.request_log_connections
    store = PostgresRequestLog(reads, open_pool("request_log", connections) if connections else pool)
    parts: list[Part] = [Partitions(store, settings, clock=clock, is_away=is_away)]
    if settings.request_log == "off":
        return None, parts
    log: RequestLog[Note] = RequestLog(
        describe,
        clock=clock,
        store=store if connections else None,
        write_lines=_write_lines if settings.log_format == "json" else None,
        is_away=is_away,
    )
    counters.add(log)
    percent = settings.request_log_percent if settings.request_log == "sampled" else None
    return RequestNotes(log, clock=clock, percent=percent, public_url=settings.public_url), [*parts, log]


def _write_lines(requests: Sequence[LoggedRequest]) -> None:
    telemetry.write_lines([_line(request) for request in requests])


def _line(request: LoggedRequest) -> str:
    """Return a request as a line of the log."""
    error = request.error
    fields: dict[str, object] = {
        "request_id": request.request_id,
        "tenant": None if request.scope is None else request.scope.tenant_id,
        "livemode": None if request.scope is None else request.scope.livemode,
        "api_key": request.key_id,
        "method": request.method,
        "path": request.path,
        "status": request.status,
        "duration_ms": request.duration_us / 1000,
        "idempotency_key": request.idempotency_key,
        "original_request": request.original_request_id,
        "result": request.object_id,
        "sequence": request.sequence,
        "user_agent": request.user_agent,
    }
    if error is not None:
        fields |= {"error_type": error.type, "error_code": error.code, "error_param": error.param}
        fields |= {"decline_code": error.decline_code, "error_message": error.message}
    known = {name: value for name, value in fields.items() if value is not None}
    return telemetry.json_line(request.moment_ms / 1000, "info", "request_answered", **known)
