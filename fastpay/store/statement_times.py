"""How long statements take, by name: counted on the connections of a running process."""

import functools
from typing import Any

import asyncpg

from fastpay._native.histograms import Histograms
from fastpay.clock import SystemClock
from fastpay.observability import traces
from fastpay.observability.buckets import DURATION_BOUNDS_NS
from fastpay.store.statements import BATCH_MARK, SQL

# Beside this program's statements: what combines them, begins or ends a transaction, or sets up a session.
_BATCH, _BEGIN, _COMMIT, _OTHER = "batch", "begin", "commit", "_OTHER"
_now_ns = SystemClock.monotonic_ns
_NAMES = (*SQL, _BATCH, _BEGIN, _COMMIT, _OTHER)
_SERIES = {name: 2 * index for index, name in enumerate(_NAMES)}
_BY_TEXT = {text: _SERIES[name] for name, text in SQL.items()}

# A process has one set, as it has one log. A statement has two series: the second is of those that failed.
STATEMENTS_NS = Histograms(DURATION_BOUNDS_NS, 2 * len(_NAMES))
# Source: OpenTelemetry, semantic conventions, "Database Client Metrics". A text of SQL is no label.
LABELS = tuple(
    {"db_system_name": "postgresql", "db_query_summary": name} | failure
    for name in _NAMES
    for failure in ({}, {"error_type": "_OTHER"})
)


def _timed(name: str) -> Any:
    """Return a method of a connection that runs a statement and counts how long that takes."""
    run = getattr(asyncpg.Connection, name)

    async def method(self: Any, query: str, *args: Any, **options: Any) -> Any:
        begun_ns, series = _now_ns(), _series_of(query) + 1
        try:
            found = await run(self, query, *args, **options)
            series -= 1
            return found
        finally:
            ended_ns = _now_ns()
            STATEMENTS_NS.observe(ended_ns - begun_ns, series)
            if (measuring := traces.measuring.get()) is not None:
                measuring.append((tuple(LABELS[series].values()), ended_ns - begun_ns, ended_ns))

    return functools.update_wrapper(method, run)


class TimedConnection(asyncpg.Connection):  # type: ignore[misc]  # asyncpg has no types
    """A connection that counts how long its statements take, with the way to the database and back.

    The driver's own hook for that makes an object and a callback of the event loop for each statement.
    """

    __slots__ = ()

    execute, fetch, fetchrow, fetchval = map(_timed, ("execute", "fetch", "fetchrow", "fetchval"))


def _series_of(query: str) -> int:
    series = _BY_TEXT.get(query)
    if series is not None:
        return series
    if query.startswith(BATCH_MARK):
        return _SERIES[_BATCH]
    word = query[:6].lower()
    return _SERIES[_COMMIT if word == "commit" else _BEGIN if word.startswith("begin") else _OTHER]
