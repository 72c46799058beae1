"""What a driver's error means for the work that met it."""

import asyncpg

from fastpay.engine.failures import BatchFailure, FailureKind, OutdatedBatch, RefusedBatch, TransientFailure

# The SQLSTATE of our own with which `require_books` refuses (see the migrations).
OUTDATED = "FP001"
# SQLSTATEs of a transaction that was in another's way: the connection is as good as before.
CONTENTION = frozenset(
    (
        "40001",  # serialization_failure
        "40P01",  # deadlock_detected
        "55P03",  # lock_not_available
        "57014",  # query_canceled: a statement ran into its timeout
    )
)
# SQLSTATEs after which the same transaction may well succeed: the outcome is known, nothing was kept.
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
# What the driver raises when there is no connection, or no longer one.
LOST: tuple[type[Exception], ...] = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    # What the driver says of a connection that was ended between two statements, before it has noticed.
    asyncpg.InternalClientError,
    asyncpg.PostgresConnectionError,
)


def translate(error: Exception) -> BatchFailure:
    """Return the engine's word for what went wrong before COMMIT was sent, or was answered with an error."""
    if isinstance(error, BatchFailure):
        return error
    if isinstance(error, asyncpg.PostgresError):
        return _translate_answer(error)
    if isinstance(error, LOST):
        return TransientFailure("08000", reason=describe(error))
    if isinstance(error, ValueError):
        # A parameter could not even be encoded: as good as a refusal by the database.
        return RefusedBatch("22000", None)
    # A fault of our own: nothing was kept, and the same again would fail again.
    return RefusedBatch("XX000", None)


def _translate_answer(error: asyncpg.PostgresError) -> BatchFailure:
    if error.sqlstate == OUTDATED:
        return OutdatedBatch()
    if error.sqlstate in TRANSIENT or isinstance(error, asyncpg.PostgresConnectionError):
        kind = "contention" if error.sqlstate in CONTENTION else _KINDS.get(error.sqlstate, "unreachable")
        return TransientFailure(error.sqlstate, kind=kind, reason=describe(error))
    return RefusedBatch(error.sqlstate, getattr(error, "constraint_name", None))


def describe(error: Exception) -> str:
    """Return what the log says of a driver's error: nothing in it is secret."""
    if isinstance(error, TimeoutError) and not isinstance(error, asyncpg.PostgresError) and not str(error):
        return "no answer in time"
    text = str(error).strip()
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def is_answer(error: Exception) -> bool:
    """Tell whether the server refused what it was asked, which is then certain.

    A FATAL error ends the connection whatever came before it, and anything else is no word of the server's.
    """
    return isinstance(error, asyncpg.PostgresError) and getattr(error, "severity_en", None) == "ERROR"
