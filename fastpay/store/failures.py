"""Translates errors of the driver into failures of the engine."""

import asyncpg

from fastpay.engine.failures import (
    BatchFailure,
    FailureKind,
    OutdatedBatch,
    RefusedBatch,
    TransientFailure,
    WrongMoment,
)

# The SQLSTATEs that `require_decided` raises (see migration 0046).
OUTDATED, WRONG_MOMENT = "FP001", "FP002"
# SQLSTATEs of a conflict with another transaction. The connection can be used again.
CONTENTION = frozenset(
    (
        "40001",  # serialization_failure
        "40P01",  # deadlock_detected
        "55P03",  # lock_not_available
        "57014",  # query_canceled: a statement ran into its timeout
    )
)
# SQLSTATEs after which the same transaction may succeed: it was rolled back.
TRANSIENT = CONTENTION | frozenset(
    (
        "25006",  # read_only_sql_transaction: this is no longer the primary
        "25P03",  # idle_in_transaction_session_timeout
        "25P04",  # transaction_timeout
        "53100",  # disk_full
        "53200",  # out_of_memory
        "53300",  # too_many_connections
        "53400",  # configuration_limit_exceeded
        "57P01",  # admin_shutdown
        "57P02",  # crash_shutdown
        "57P03",  # cannot_connect_now
        "57P05",  # idle_session_timeout
    )
)
_KINDS: dict[str, FailureKind] = {"25006": "read-only", "53100": "disk full"}
# What the driver raises if there is no connection, or it was lost.
LOST: tuple[type[Exception], ...] = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    # Raised for a connection that ended between two statements, before the driver has noticed.
    asyncpg.InternalClientError,
    asyncpg.PostgresConnectionError,
)


def translate(error: Exception) -> BatchFailure:
    """Return the failure for an error before COMMIT was sent, or for a COMMIT that returned an error."""
    if isinstance(error, BatchFailure):
        return error
    if isinstance(error, asyncpg.PostgresError):
        return _translate_answer(error)
    if isinstance(error, LOST):
        return TransientFailure("08000", reason=describe(error))
    if isinstance(error, ValueError):
        # A parameter could not be encoded, which is like a refusal by the database.
        return RefusedBatch("22000", None)
    # Our own bug: nothing was committed, and a retry would fail again.
    return RefusedBatch("XX000", None)


def _translate_answer(error: asyncpg.PostgresError) -> BatchFailure:
    if error.sqlstate == OUTDATED:
        return OutdatedBatch()
    if error.sqlstate == WRONG_MOMENT:
        return WrongMoment()
    if error.sqlstate in TRANSIENT or isinstance(error, asyncpg.PostgresConnectionError):
        kind = "contention" if error.sqlstate in CONTENTION else _KINDS.get(error.sqlstate, "unreachable")
        return TransientFailure(error.sqlstate, kind=kind, reason=describe(error))
    return RefusedBatch(error.sqlstate, getattr(error, "constraint_name", None))


def describe(error: Exception) -> str:
    """Return a driver's error as text for the log, without secrets."""
    if isinstance(error, TimeoutError) and not isinstance(error, asyncpg.PostgresError) and not str(error):
        return "no answer in time"
    text = str(error).strip()
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def is_answer(error: Exception) -> bool:
    """Tell whether the server refused the statement, so that its outcome is certain.

    A FATAL error ends the connection whatever happened before, and other errors do not come from the server.
    """
    return isinstance(error, asyncpg.PostgresError) and getattr(error, "severity_en", None) == "ERROR"
