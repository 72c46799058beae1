"""What a driver's error means for the work that met it."""

import asyncpg

from fastpay.engine.failures import RefusedBatch, TransientFailure

# SQLSTATEs after which the same transaction may well succeed: the outcome is known, nothing was kept.
TRANSIENT = frozenset(
    (
        "40001",  # serialization_failure
        "40P01",  # deadlock_detected
        "55P03",  # lock_not_available
        "57014",  # query_canceled: a statement ran into its timeout
        "57P01",  # admin_shutdown
        "57P02",  # crash_shutdown
        "57P03",  # cannot_connect_now
        "53300",  # too_many_connections
        "53400",  # configuration_limit_exceeded
    )
)
# What the driver raises when there is no connection, or no longer one.
LOST: tuple[type[Exception], ...] = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.PostgresConnectionError,
)


def translate(error: Exception) -> Exception:
    """Return the engine's word for a driver's error; anything unknown comes back as it is."""
    if isinstance(error, asyncpg.PostgresError):
        if error.sqlstate in TRANSIENT or isinstance(error, asyncpg.PostgresConnectionError):
            return TransientFailure(error.sqlstate)
        return RefusedBatch(error.sqlstate, getattr(error, "constraint_name", None))
    if isinstance(error, LOST):
        return TransientFailure("08000")
    if isinstance(error, asyncpg.DataError | ValueError):
        # The driver could not even encode a parameter: as good as a refusal by the database.
        return RefusedBatch("22000", None)
    return error
